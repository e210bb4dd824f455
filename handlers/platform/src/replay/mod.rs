//! Values that count once on all nodes: assertions by digest, until they expire.
//!
//! The database decides: an insert that finds its row is a second presentation, however many nodes
//! try at once. A database that does not answer refuses the caller; nobody gets in on a guess.

mod sql;

use sigid_core::secret::Digest32;
use sigid_edge::backend::{Backend, BackendFault};
use sigid_io::backend::BoxFuture;
use sigid_io::fail::Point;
use sigid_io::pg::Scope;
use sigid_io::settings::Plane;
use std::sync::Arc;

/// Marks an assertion as used until `expires_s`: `true` the first time.
pub fn consume_assertion(
    backend: Arc<Backend>,
    digest: Digest32,
    expires_s: i64,
) -> BoxFuture<'static, Result<bool, BackendFault>> {
    Box::pin(async move {
        let now_s = backend.shared.clock.now_s();
        let consumed = async {
            let pool = backend.pools.pool(Plane::Auth);
            pool.reach(Point::ReplayConsume).await?;
            let mut tx = pool.begin(Scope::System("authenticate")).await?;
            let is_first = sql::insert_assertion(&mut tx, &digest, expires_s, now_s).await?;
            tx.commit().await.map(|()| is_first)
        };
        consumed.await.map_err(|error: sigid_io::pg::PgFault| {
            tracing::error!(%error, "a replay mark could not be written");
            BackendFault
        })
    })
}
