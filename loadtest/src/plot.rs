//! Lines over time, or over percentiles, as inline SVG. Colours are CSS classes, so that one drawing serves
//! light and dark.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde::Serialize;

use crate::html::escaped;

#[derive(Debug, Clone, Serialize)]
pub struct Plot {
    pub title: Cow<'static, str>,
    pub x: X,
    pub y: Y,
    pub lines: Vec<Line>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum X {
    /// Seconds of the measured time.
    Time,
    /// A number of things, as its decimal logarithm.
    Decades,
    /// A number of things.
    Number,
    /// 1 / (1 - quantile), logarithmic: each step to the right is one more nine.
    Nines,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Y {
    /// Latency on a logarithmic scale.
    LogMicros,
    Number,
    Bytes,
    Seconds,
}

#[derive(Debug, Clone, Serialize)]
pub struct Line {
    pub name: Cow<'static, str>,
    /// CSS class: a, b, c, bad, or ref.
    #[serde(skip)]
    pub class: &'static str,
    pub points: Vec<(f64, Option<f64>)>,
}

/// Data coordinates to the drawing's.
struct Frame {
    x_max: f64,
    y_min: f64,
    y_max: f64,
}

impl Plot {
    pub fn svg(&self) -> String {
        let frame = self.frame();
        let mut out = String::new();
        let _ = write!(out, "<figure><figcaption>{}{}</figcaption>", escaped(&self.title), self.legend());
        let _ = write!(out, r#"<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{}">"#, escaped(&self.title));
        self.draw_grid(&frame, &mut out);
        for line in &self.lines {
            self.draw_line(line, &frame, &mut out);
        }
        out.push_str("</svg></figure>");
        out
    }

    /// One line needs no legend: the title names it.
    fn legend(&self) -> String {
        if self.lines.len() < 2 {
            return String::new();
        }
        let entry = |line: &Line| format!(r#"<span class="key {}">{}</span>"#, line.class, escaped(&line.name));
        self.lines.iter().map(entry).collect()
    }

    fn frame(&self) -> Frame {
        let points = || self.lines.iter().flat_map(|l| &l.points);
        let values = || points().filter_map(|(_, y)| *y);
        let x_max = points().map(|(x, _)| *x).fold(0.0, f64::max);
        let y_top = values().fold(0.0, f64::max);
        if self.y == Y::LogMicros {
            let bottom = values().fold(f64::MAX, f64::min).clamp(1.0, 1e9).log10().floor();
            let top = y_top.max(1.0).log10().ceil().max(bottom + 1.0);
            return Frame { x_max: positive(x_max), y_min: bottom, y_max: top };
        }
        Frame { x_max: positive(x_max), y_min: 0.0, y_max: self.linear_step(y_top) * STEPS }
    }

    fn linear_step(&self, top: f64) -> f64 {
        step(top, if self.y == Y::Bytes { 1_048_576.0 } else { 1.0 })
    }

    fn draw_grid(&self, frame: &Frame, out: &mut String) {
        for (value, label) in self.y_ticks(frame) {
            let y = frame.y(value);
            let _ = write!(out, r#"<line class="grid" x1="{LEFT}" x2="{}" y1="{y:.1}" y2="{y:.1}"/>"#, WIDTH - RIGHT);
            let _ = write!(
                out,
                r#"<text x="{}" y="{:.1}" text-anchor="end">{}</text>"#,
                LEFT - 8.0,
                y + 4.0,
                escaped(&label)
            );
        }
        for (value, label) in self.x_ticks(frame) {
            let x = frame.x(value);
            if matches!(self.x, X::Nines | X::Decades) {
                let _ =
                    write!(out, r#"<line class="grid" x1="{x:.1}" x2="{x:.1}" y1="{TOP}" y2="{}"/>"#, HEIGHT - BOTTOM);
            }
            let _ = write!(
                out,
                r#"<text x="{x:.1}" y="{}" text-anchor="middle">{}</text>"#,
                HEIGHT - BOTTOM + 18.0,
                escaped(&label)
            );
        }
    }

    fn y_ticks(&self, frame: &Frame) -> Vec<(f64, String)> {
        if self.y != Y::LogMicros {
            let step = (frame.y_max - frame.y_min) / STEPS;
            return (0..=STEPS as u32).map(|i| f64::from(i) * step).map(|v| (v, self.label(v))).collect();
        }
        let few = frame.y_max - frame.y_min < 2.5;
        let mantissas: &[f64] = if few { &[1.0, 2.0, 5.0] } else { &[1.0] };
        (frame.y_min as i32..=frame.y_max as i32)
            .flat_map(|decade| mantissas.iter().map(move |m| f64::from(decade) + m.log10()))
            .filter(|v| *v <= frame.y_max + 1e-9)
            .map(|v| (v, round_micros(10f64.powf(v).round())))
            .collect()
    }

    fn x_ticks(&self, frame: &Frame) -> Vec<(f64, String)> {
        match self.x {
            X::Nines => [
                (0.0, "0 %"),
                (2f64.log10(), "50 %"),
                (1.0, "90 %"),
                (2.0, "99 %"),
                (3.0, "99.9 %"),
                (4.0, "99.99 %"),
                (5.0, "99.999 %"),
                (6.0, "99.9999 %"),
            ]
            .into_iter()
            .filter(|(x, _)| *x <= frame.x_max)
            .map(|(x, label)| (x, label.to_owned()))
            .collect(),
            X::Decades => (0..=frame.x_max.ceil() as i32)
                .map(f64::from)
                .filter(|x| *x <= frame.x_max)
                .map(|x| (x, trimmed(10f64.powf(x))))
                .collect(),
            X::Number => {
                let step = step(frame.x_max, 1.0);
                (0..=STEPS as u32)
                    .map(|i| f64::from(i) * step)
                    .filter(|x| *x <= frame.x_max)
                    .map(|x| (x, trimmed(x)))
                    .collect()
            }
            X::Time => {
                let steps = [1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14_400.0, 86_400.0];
                let step = steps.into_iter().find(|s| frame.x_max / s <= 10.0).unwrap_or(172_800.0);
                (0..=(frame.x_max / step) as u32)
                    .map(|i| f64::from(i) * step)
                    .map(|t| (t, format!("{t:.0} s")))
                    .collect()
            }
        }
    }

    fn draw_line(&self, line: &Line, frame: &Frame, out: &mut String) {
        let mut path = String::new();
        let mut pen = 'M';
        for (x, y) in &line.points {
            let Some(y) = y else {
                pen = 'M';
                continue;
            };
            let _ = write!(path, "{pen}{:.1} {:.1}", frame.x(*x), frame.y(self.scaled(*y)));
            pen = 'L';
        }
        let _ = write!(out, r#"<path class="line {}" d="{path}"/>"#, line.class);
        if line.points.len() <= HOVERED_POINTS_MAX && line.class != "ref" {
            self.draw_hover(line, frame, out);
        }
    }

    /// Dots that show their value under the mouse, without a script.
    fn draw_hover(&self, line: &Line, frame: &Frame, out: &mut String) {
        for (x, y) in &line.points {
            let Some(y) = *y else { continue };
            let at = match self.x {
                X::Time => format!("{} s", trimmed(*x)),
                X::Decades => trimmed(10f64.powf(*x).round()),
                X::Number => trimmed(*x),
                X::Nines => format!("{} %", trimmed(100.0 * (1.0 - 10f64.powf(-x)))),
            };
            let (cx, cy) = (frame.x(*x), frame.y(self.scaled(y)));
            let text = format!("{at}  {}: {}", line.name, self.label(y));
            let _ = write!(
                out,
                r#"<circle class="dot {}" cx="{cx:.1}" cy="{cy:.1}" r="5"><title>{}</title></circle>"#,
                line.class,
                escaped(&text)
            );
        }
    }

    fn scaled(&self, y: f64) -> f64 {
        if self.y == Y::LogMicros { y.max(1.0).log10() } else { y }
    }

    fn label(&self, value: f64) -> String {
        match self.y {
            Y::LogMicros => crate::progress::micros(value as u64),
            Y::Number => trimmed(value),
            Y::Bytes => format!("{} MiB", trimmed(value / 1_048_576.0)),
            Y::Seconds => format!("{} s", trimmed(value)),
        }
    }
}

impl Frame {
    fn x(&self, x: f64) -> f64 {
        LEFT + (x / self.x_max).clamp(0.0, 1.0) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, y: f64) -> f64 {
        let share = (y - self.y_min) / (self.y_max - self.y_min);
        HEIGHT - BOTTOM - share.clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
    }
}

/// A latency of a round number, as an axis shows it.
fn round_micros(us: f64) -> String {
    let (value, unit) = match us {
        ..1e3 => (us, "µs"),
        ..1e6 => (us / 1e3, "ms"),
        _ => (us / 1e6, "s"),
    };
    format!("{} {unit}", trimmed(value))
}

/// A round part of an axis up to `top`.
fn step(top: f64, unit: f64) -> f64 {
    let raw = positive(top / unit) * 1.02 / STEPS;
    let magnitude = 10f64.powf(raw.log10().floor());
    let mantissa = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|m| m * magnitude >= raw).unwrap_or(10.0);
    mantissa * magnitude * unit
}

fn positive(value: f64) -> f64 {
    if value > 0.0 { value } else { 1.0 }
}

/// At most four decimals, none that say nothing; thousands apart.
pub fn trimmed(value: f64) -> String {
    let decimals = if value.abs() >= 1000.0 {
        0
    } else if value.abs() >= 1.0 {
        2
    } else {
        4
    };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    let (whole, rest) = text.split_once('.').map_or((text, None), |(w, r)| (w, Some(r)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && digit != '-' && (whole.len() - index) % 3 == 0 && !grouped.ends_with('-') {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    rest.map_or_else(|| grouped.clone(), |rest| format!("{grouped}.{rest}"))
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 250.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 30.0;
const STEPS: f64 = 4.0;
const HOVERED_POINTS_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(y: Y, points: Vec<(f64, Option<f64>)>) -> Plot {
        Plot { title: "t".into(), x: X::Time, y, lines: vec![Line { name: "n".into(), class: "a", points }] }
    }

    #[test]
    fn a_gap_lifts_the_pen() {
        let svg = plot(Y::Number, vec![(1.0, Some(1.0)), (2.0, Some(2.0)), (3.0, None), (4.0, Some(1.0))]).svg();
        let path = svg.split(" d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!((path.matches('M').count(), path.matches('L').count()), (2, 1), "{path}");
    }

    #[test]
    fn nothing_to_draw_still_draws_a_frame() {
        for y in [Y::LogMicros, Y::Number, Y::Bytes, Y::Seconds] {
            let svg = plot(y, Vec::new()).svg();
            assert!(svg.contains("class=\"grid\"") && !svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }

    #[test]
    fn every_point_is_inside_the_frame() {
        for y in [Y::LogMicros, Y::Number] {
            let frame = plot(y, vec![(0.0, Some(3.0)), (9.0, Some(98_765.0))]).frame();
            assert!(frame.y_max >= if y == Y::LogMicros { 98_765f64.log10() } else { 98_765.0 });
        }
    }

    #[test]
    fn axes_show_round_latencies() {
        assert_eq!([20.0, 1000.0, 500_000.0, 2e6].map(round_micros), ["20 µs", "1 ms", "500 ms", "2 s"]);
    }

    #[test]
    fn numbers_are_short() {
        for (value, shown) in [
            (0.0, "0"),
            (0.25, "0.25"),
            (1.5, "1.5"),
            (1000.0, "1\u{202f}000"),
            (1_234_567.0, "1\u{202f}234\u{202f}567"),
            (99.999, "100"),
        ] {
            assert_eq!(trimmed(value), shown);
        }
    }
}
