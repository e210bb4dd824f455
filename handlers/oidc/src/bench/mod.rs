//! `POST /bench/mint`: many real tokens at once, for load runs ([`sigid_platform::bench`] says why and when).
//!
//! Each token is what `client_credentials` would have given the caller: the same decisions, the same mint, the same
//! digest in level 2. Signing is synchronous work, so between a few tokens the backend's other tasks have their turn.
//!
//! Limits: [`MINT_COUNT_MAX`] tokens a call.

use crate::mint;
use crate::token::{self, client_credentials};
use http::StatusCode;
use serde_json::json;
use sigid_edge::backend::Call;
use sigid_edge::feature::{Cors, FORM_BODY_BYTES_MAX, Feature, Guarded, Route, Serve};
use sigid_edge::guard::{Client, Permit};
use sigid_io::backend::BoxFuture;
use sigid_io::http::Reply;
use sigid_io::settings::Plane;
use sigid_platform::bench::{Fault, check_confidential, read_number};

pub const FEATURE: Feature = Feature {
    name: "bench",
    section: None,
    routes: &[Route {
        methods: &["POST"],
        path: "/bench/mint",
        plane: Plane::Auth,
        serve: Serve::Cold(Guarded::Client(mint)),
        body_bytes_max: FORM_BODY_BYTES_MAX,
        cors: Cors::None,
        doc: "Many access tokens of the caller at once; only with --bench",
    }],
    jobs: &[],
    events: &[],
    discovery: &[],
};

/// The most tokens of one call.
pub const MINT_COUNT_MAX: usize = 50_000;

/// Tokens between two turns of others: about half a millisecond.
const BATCH: usize = 16;

fn mint(call: Call, client: Permit<Client>) -> BoxFuture<'static, Reply> {
    Box::pin(async move {
        match mint_many(&call, &client).await {
            Ok((minted, tokens)) => {
                Reply::no_store_json(StatusCode::OK, json!({ "minted": minted, "tokens": tokens }).to_string())
            }
            Err(fault) => fault.error().reply(),
        }
    })
}

async fn mint_many(call: &Call, client: &Permit<Client>) -> Result<(usize, Vec<String>), Fault> {
    check_confidential(client)?;
    let form = call.form(&["resource"])?;
    let count = read_number(&form, "count", None, 1, MINT_COUNT_MAX)?;
    let sample = read_number(&form, "sample", Some(0), 0, count)?;
    let decided = client_credentials::decide(call, client, &form).map_err(token::Fault::error)?;
    let mut tokens = Vec::with_capacity(sample);
    for index in 0..count {
        if index % BATCH == 0 {
            tokio::task::yield_now().await;
        }
        let now_s = call.backend.shared.clock.now_s();
        let minted = mint::access_token(&call.backend, client, decided.clone(), now_s).await?;
        if is_sampled(index, count, sample) {
            tokens.push(minted.token);
        }
    }
    Ok((count, tokens))
}

/// Whether the token at `index` of `count` is one of `sample` that are evenly spread.
fn is_sampled(index: usize, count: usize, sample: usize) -> bool {
    (index + 1) * sample / count > index * sample / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_exact_and_evenly_spread() {
        for (count, sample) in [(1, 0), (1, 1), (10, 3), (10, 10), (7, 5), (50_000, 1), (50_000, 49_999)] {
            let taken: Vec<usize> = (0..count).filter(|index| is_sampled(*index, count, sample)).collect();
            assert_eq!(taken.len(), sample, "{sample} of {count}");
            let gaps = taken.iter().zip(taken.iter().skip(1)).map(|(one, next)| next - one);
            let widest = count.checked_div(sample).unwrap_or_default() + 1;
            assert!(gaps.into_iter().all(|gap| gap <= widest), "{sample} of {count}: a gap");
        }
    }
}
