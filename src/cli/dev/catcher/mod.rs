//! The mail catcher: where letters of a development server end up, delivered over real SMTP.
//!
//! Two listeners on loopback: SMTP for the server's mail job, and a page for the person in front. Each message is also a
//! file, `DIR/mail/TIME-ID.eml`, written whole by rename and readable by its owner alone. It runs on a thread of its own
//! with a runtime of its own, from before the server starts until after it ended, so that letters of the very first
//! and the very last moment are caught too.
//!
//! Attacks considered: a web page in the developer's browser that would read letters, and the links in them, by DNS
//! rebinding (only `127.0.0.1` and `localhost` are answered) or send some (SMTP over HTTP: the first line of a request
//! is no command, and the connection ends after a few of those); a letter that is a page (its HTML is shown in a sandbox
//! without scripts); a letter that ends early (only CR LF . CR LF ends it); a flood (lines, messages, recipients,
//! connections are bounded). Not considered: other users of the machine, who may connect like everybody on loopback;
//! what they send is shown as mail, what was caught they cannot read from disk, but from the page they can.

mod mime;
mod page;
mod smtp;
mod store;

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use sigid_io::backend::{self, spawn};
use tokio::runtime::Runtime;

use super::fault::Fault;
use store::Store;
pub use store::clear;

/// A running catcher; ends when it is dropped.
pub struct Catcher(Option<Runtime>);

pub fn start(directory: PathBuf, smtp_port: u16, page_port: u16) -> Result<Catcher, Fault> {
    let store = Arc::new(Store::open(directory)?);
    let (smtp, page) = (bind(smtp_port)?, bind(page_port)?);
    let system = |source| Fault::System { doing: "cannot start the mail catcher".into(), source };
    let runtime = backend::runtime(1).map_err(system)?;
    {
        // Listeners register with the runtime that they are made in.
        let _entered = runtime.enter();
        let listener = |listener| tokio::net::TcpListener::from_std(listener).map_err(system);
        let (smtp, page) = (listener(smtp)?, listener(page)?);
        spawn(smtp::serve(smtp, store.clone()));
        spawn(page::serve(page, page_port, store));
    }
    Ok(Catcher(Some(runtime)))
}

impl Drop for Catcher {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn bind(port: u16) -> Result<TcpListener, Fault> {
    let doing = || format!("cannot listen on 127.0.0.1:{port} for mail");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = listener.map_err(|source| Fault::System { doing: doing(), source })?;
    listener.set_nonblocking(true).map_err(|source| Fault::System { doing: doing(), source })?;
    Ok(listener)
}
