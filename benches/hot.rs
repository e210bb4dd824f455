//! What the parts of the hot path cost, and the ratios that say whether a part is too dear.
//!
//! Nothing is asserted about wall-clock time: another machine, another number. The ratios at the end compare two
//! parts measured in the same run, and those carry over.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a bench stops at the first surprise")]
#![allow(clippy::print_stdout, reason = "the ratios are for people to read")]

mod support;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use criterion::Criterion;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use sigid_core::basic::{BASIC_BYTES_MAX, decode_basic};
use sigid_core::form::{self, Form};
use sigid_core::secret::Digest32;
use sigid_core::{b64, marks, token};
use sigid_edge::cache::ReplyCache;
use sigid_edge::introspect;
use sigid_edge::shard::Memo;
use sigid_io::backend;
use sigid_io::hash_pool::{Cost, HashPool, Password, PoolSettings};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, SystemTime};
use support::World;

/// Where the estimates are kept, to make ratios of.
const KEPT: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/criterion");

fn main() {
    let world = World::new();
    let began = mark_time();
    let mut criterion = Criterion::default().output_directory(Path::new(KEPT)).configure_from_args();
    signatures(&mut criterion, &world);
    answers(&mut criterion, &world);
    parts(&mut criterion, &world);
    hashes(&mut criterion);
    criterion.final_summary();
    print_ratios(began);
}

fn signatures(criterion: &mut Criterion, world: &World) {
    let (input, signature) = world.token.rsplit_once('.').unwrap();
    let signature = b64::decode(signature.as_bytes()).unwrap();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &world.point);
    let input = input.as_bytes();
    criterion.bench_function("es256_verify_bare", |bencher| bencher.iter(|| key.verify(black_box(input), &signature)));
    let token = world.token.as_bytes();
    let verify = |known| token::verify(black_box(token), world, known, world.now_s).unwrap();
    criterion.bench_function("token_first_sight", |bencher| bencher.iter(|| verify(false)));
    criterion.bench_function("token_signature_known", |bencher| bencher.iter(|| verify(true)));
    let kid = world.kid.as_str();
    criterion.bench_function("es256_sign_bare", |bencher| {
        bencher.iter(|| world.signer.sign_now(kid, black_box(input)).unwrap());
    });
    criterion.bench_function("token_mint", |bencher| bencher.iter(|| world.mint()));
}

fn answers(criterion: &mut Criterion, world: &World) {
    let shared = &world.shard.shared;
    shared.verified.insert(world.digest, world.access.exp_s, world.now_s);
    let token = world.token.as_bytes();
    let judge =
        || introspect::judge(shared, &world.tables, black_box(token), world.digest, world.now_s).map_err(drop).unwrap();
    criterion.bench_function("judge_signature_known", |bencher| bencher.iter(judge));
    let mut memo = Memo::default();
    world.ask_live(&mut memo);
    criterion.bench_function("answer_cached", |bencher| bencher.iter(|| world.ask(&mut memo)));
    criterion.bench_function("answer_cached_first_on_connection", |bencher| {
        bencher.iter(|| world.ask(&mut Memo::default()));
    });
    criterion.bench_function("answer_signature_known", |bencher| {
        bencher.iter(|| {
            world.shard.replies.borrow_mut().remove(world.digest);
            world.ask(&mut memo)
        });
    });
    world.check_live();
    criterion.bench_function("session_check_cached", |bencher| bencher.iter(|| world.check()));
    criterion.bench_function("session_check_opened", |bencher| {
        bencher.iter(|| {
            *world.shard.checks.borrow_mut() = ReplyCache::new(4);
            world.check()
        });
    });
}

fn parts(criterion: &mut Criterion, world: &World) {
    let body = world.body.as_slice();
    criterion.bench_function("form_in_place", |bencher| {
        bencher.iter(|| form::introspection_in_place(black_box(body)).is_some());
    });
    criterion.bench_function("form_parse", |bencher| bencher.iter(|| Form::parse(black_box(body), &[]).is_ok()));
    let header = world.basic.as_bytes();
    criterion.bench_function("basic_decode", |bencher| {
        bencher.iter(|| decode_basic(black_box(header), &mut [0; BASIC_BYTES_MAX]).is_ok());
    });
    let bytes = [b'x'; 900];
    criterion.bench_function("digest_highway_900", |bencher| {
        bencher.iter(|| world.shard.shared.hasher.digest(black_box(&bytes)));
    });
    criterion.bench_function("digest_sha256_900", |bencher| bencher.iter(|| Digest32::of(black_box(&bytes))));
    let keys = world.access.mark_keys();
    criterion.bench_function("marks_lookup", |bencher| {
        bencher.iter(|| marks::is_dead(black_box(&keys), world.access.iat_s, |key| world.tables.find_mark(key)));
    });
}

/// A password hash alone and through the pool, with the memory reused in both.
fn hashes(criterion: &mut Criterion) {
    let cost = Cost { memory_kib: 19_456, iterations: 2, parallelism: 1 };
    let params = Params::new(cost.memory_kib, cost.iterations, cost.parallelism, None).unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let mut memory = vec![Block::new(); cost.memory_kib as usize];
    let (password, salt, mut output) = (b"correct horse battery staple", [7; 16], [0; 32]);
    criterion.bench_function("argon2_bare", |bencher| {
        bencher.iter(|| {
            argon2.hash_password_into_with_memory(black_box(password), &salt, &mut output, &mut memory).unwrap();
        });
    });
    let deadline = Duration::from_mins(1);
    let memory_kib = cost.memory_kib;
    let settings = PoolSettings { threads: 1, queue_max: 1, deadline, memory_kib, memory_kib_max: memory_kib };
    let pool = HashPool::start(settings).unwrap();
    let runtime = backend::runtime(1).unwrap();
    criterion.bench_function("argon2_pool", |bencher| {
        bencher.iter(|| {
            let password = Password::new(black_box(password).to_vec());
            runtime.block_on(pool.hash(password, &salt, cost)).unwrap()
        });
    });
}

/// What is compared with what, and why.
const RATIOS: &[(&str, &str, &str)] = &[
    ("token_first_sight", "es256_verify_bare", "a first sight is the signature check and little else; at most 1.10"),
    ("token_mint", "es256_sign_bare", "minting is the signature and little else"),
    ("answer_cached", "es256_verify_bare", "what the caches save"),
    ("answer_cached", "answer_signature_known", "what level 1 saves beside level 2"),
    ("answer_cached", "answer_cached_first_on_connection", "what the connection's memo saves"),
    ("session_check_cached", "answer_cached", "a session check beside an introspection; at most 1.00"),
    ("session_check_cached", "session_check_opened", "what level 1 saves of a session check"),
    ("form_in_place", "form_parse", "what reading in place saves"),
    ("argon2_pool", "argon2_bare", "what the pool adds to a hash on a quiet core; at most 1.05"),
    ("digest_highway_900", "digest_sha256_900", "what the keyed fast hash saves"),
];

fn print_ratios(began: Option<SystemTime>) {
    println!("\nratios of medians of this run:");
    for (one, other, why) in RATIOS {
        if let (Some(one_ns), Some(other_ns)) = (find_median_ns(one, began), find_median_ns(other, began)) {
            println!("{:>7.3}  {one} / {other}: {why}", one_ns / other_ns);
        }
    }
}

/// Now, by the clock that stamps the estimates.
fn mark_time() -> Option<SystemTime> {
    std::fs::create_dir_all(KEPT).and_then(|()| std::fs::write(format!("{KEPT}/began"), "")).ok()?;
    std::fs::metadata(format!("{KEPT}/began")).and_then(|metadata| metadata.modified()).ok()
}

/// The median of a bench, if it was measured since `began`.
fn find_median_ns(name: &str, began: Option<SystemTime>) -> Option<f64> {
    let path = format!("{KEPT}/{name}/new/estimates.json");
    let written = std::fs::metadata(&path).and_then(|metadata| metadata.modified()).ok()?;
    let estimates: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).ok()?).ok()?;
    estimates.get("median")?.get("point_estimate")?.as_f64().filter(|_| Some(written) >= began)
}
