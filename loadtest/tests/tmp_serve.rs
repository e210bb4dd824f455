#![allow(warnings)]
mod mock;
#[test]
#[ignore]
fn serve() {
    let m = mock::Mock::start(mock::Manner::Honest);
    std::fs::write("/tmp/mock.txt", format!("{} {}", m.url(), m.ca.display())).unwrap();
    std::thread::sleep(std::time::Duration::from_secs(900));
}
