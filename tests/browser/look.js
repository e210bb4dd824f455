// Evaluated by tests/it/browser/audit.rs beside a page, after axe-core: what is wrong with it as it is shown now.
(async () => {
  const faults = []
  const root = document.documentElement
  if (root.scrollWidth > root.clientWidth) faults.push(`wider than the screen: ${root.scrollWidth} > ${root.clientWidth}`)
  for (const element of document.querySelectorAll('*')) {
    const style = getComputedStyle(element)
    const moves = (list) => list.split(',').some((time) => parseFloat(time) > 0)
    const name = element.tagName.toLowerCase() + [...element.classList].map((one) => '.' + one).join('')
    if (moves(style.transitionDuration) || moves(style.animationDuration)) faults.push(`moves: ${name}`)
  }
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
  // The frame of a caught letter runs no script, axe's neither.
  const options = { runOnly: { type: 'tag', values: tags }, resultTypes: ['violations'], iframes: false, preload: false }
  const { violations } = await axe.run(document, options)
  for (const { id, nodes } of violations) {
    faults.push(`axe ${id}: ${nodes.map((node) => `${node.target.join(' ')}: ${node.failureSummary}`).join('; ')}`)
  }
  return faults
})()
