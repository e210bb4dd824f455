//! What is asked of which server.

use std::net::Ipv4Addr;
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::fault::Fault;
use crate::peers::dev::Dev;
use crate::peers::h2load::Order;
use crate::peers::link::Caller;
use crate::peers::load::{self, Measured, Shape, Stretch};
use crate::peers::peer::{FILE_PATH, Kind, POST_PATH, Peer, Site};
use crate::peers::wire::{Plan, REQUEST_BODY_BYTES_MAX};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    SigidIntrospect,
    NginxFile,
    NginxPost,
    H2oFile,
}

impl Subject {
    pub const ALL: [Self; 4] = [Self::SigidIntrospect, Self::NginxFile, Self::NginxPost, Self::H2oFile];

    pub fn peer(self) -> Kind {
        match self {
            Self::SigidIntrospect => Kind::Sigid,
            Self::NginxFile | Self::NginxPost => Kind::Nginx,
            Self::H2oFile => Kind::H2o,
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::SigidIntrospect => "SigID: introspection, cached",
            Self::NginxFile => "nginx: 2-byte file",
            Self::NginxPost => "nginx: same POST, fixed body",
            Self::H2oFile => "h2o: 2-byte file",
        }
    }

    /// What a connection is asked for whose memory is measured.
    pub fn cheapest(kind: Kind) -> Self {
        match kind {
            Kind::Sigid => Self::SigidIntrospect,
            Kind::Nginx => Self::NginxFile,
            Kind::H2o => Self::H2oFile,
        }
    }
}

/// A request, and the length of the reply that was seen to be right.
pub struct Prepared {
    pub plan: Rc<Plan>,
    pub order: Order,
    body_bytes: usize,
}

impl Prepared {
    /// Asks once, and looks at the whole answer.
    pub async fn new(subject: Subject, caller: &Caller, peer: &Peer, site: &Site) -> Result<Self, Fault> {
        let order = match subject {
            Subject::NginxFile | Subject::H2oFile => Order::get(FILE_PATH),
            Subject::SigidIntrospect => introspection(caller, peer, &site.dev).await?,
            // As long as SigID's, and as dear to decode; nginx looks at neither token nor secret.
            Subject::NginxPost => Order::form(POST_PATH, &authorization(&site.dev)?, "token=", STAND_IN_BYTES),
        };
        let plan = Rc::new(order.plan(&format!("localhost:{}", peer.port)));
        let answer = caller.connect(peer.kind.label(), peer.port, Ipv4Addr::LOCALHOST, 1).await?.ask(&plan).await?;
        let is_right = match subject {
            Subject::NginxFile | Subject::H2oFile => answer == b"ok",
            Subject::SigidIntrospect => is_active(&answer),
            Subject::NginxPost => answer == site.answer,
        };
        let wrong = || Fault::Refused(format!("{}: {:?}", subject.label(), String::from_utf8_lossy(&answer)));
        is_right.then_some(Self { plan, order, body_bytes: answer.len() }).ok_or_else(wrong)
    }

    pub async fn load(&self, caller: &Caller, peer: &Peer, shape: Shape, stretch: Stretch) -> Result<Measured, Fault> {
        load::requests(caller, peer, &self.plan, self.body_bytes, shape, stretch).await
    }
}

/// SigID's answer to the introspection of a live token.
pub async fn introspected(caller: &Caller, peer: &Peer, dev: &Dev) -> Result<Vec<u8>, Fault> {
    let order = introspection(caller, peer, dev).await?;
    let plan = order.plan(&format!("localhost:{}", peer.port));
    caller.connect(peer.kind.label(), peer.port, Ipv4Addr::LOCALHOST, 1).await?.ask(&plan).await
}

/// Of a token made for this: they live for minutes only.
async fn introspection(caller: &Caller, peer: &Peer, dev: &Dev) -> Result<Order, Fault> {
    let authorization = authorization(dev)?;
    let order = Order::form("/oauth/token", &authorization, "grant_type=client_credentials", 0);
    let plan = order.plan(&format!("localhost:{}", peer.port));
    let answer = caller.connect(peer.kind.label(), peer.port, Ipv4Addr::LOCALHOST, 1).await?.ask(&plan).await?;
    let answer: serde_json::Value = serde_json::from_slice(&answer).map_err(|e| Fault::Refused(e.to_string()))?;
    let token = answer.get("access_token").and_then(serde_json::Value::as_str);
    let token = token.ok_or_else(|| Fault::Refused("SigID gave no token".to_owned()))?;
    if token.len() + 64 > REQUEST_BODY_BYTES_MAX {
        return Err(Fault::Refused("SigID's token is too long for one frame".to_owned()));
    }
    Ok(Order::form(POST_PATH, &authorization, &format!("token={token}"), 0))
}

fn authorization(dev: &Dev) -> Result<String, Fault> {
    let (id, secret) = dev.service()?;
    Ok(format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))))
}

fn is_active(answer: &[u8]) -> bool {
    let answer: Option<serde_json::Value> = serde_json::from_slice(answer).ok();
    answer.is_some_and(|answer| answer.get("active") == Some(&serde_json::Value::Bool(true)))
}

/// About the length of SigID's access tokens.
const STAND_IN_BYTES: usize = 680;
