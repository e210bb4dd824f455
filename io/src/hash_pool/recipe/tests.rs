#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at the first surprise")]

use super::*;

const CHEAP: Cost = Cost { memory_kib: 256, iterations: 2, parallelism: 1 };
const MEMORY_KIB_MAX: u32 = 32 * 1024;

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn hash(recipe: &Recipe, password: &[u8], salt: &[u8], output_bytes: usize) -> Vec<u8> {
    assert_eq!(recipe.check(MEMORY_KIB_MAX, salt.len(), output_bytes), Ok(()));
    let mut output = vec![0; output_bytes];
    recipe.compute(password, salt, &mut output, &mut vec![Block::new(); recipe.argon2_kib() as usize]).unwrap();
    output
}

fn argon2(kind: Argon2Kind, version: Argon2Version) -> Recipe {
    Recipe::Argon2 { kind, version, cost: CHEAP }
}

/// argon2-cffi 25 (the reference implementation) and hashlib of Python 3.11.
#[test]
fn a_recipe_computes_what_others_do() {
    use Argon2Kind::{D, I, Id};
    use Argon2Version::{V16, V19};
    let pbkdf2 = |hmac| Recipe::Pbkdf2 { hmac, iterations: 4096 };
    for (reason, recipe, salt, expected) in [
        (
            "Argon2id 1.0",
            argon2(Id, V16),
            "somesalt",
            "da070e576e50f2f38a3c897cbddc6c7fb4028e870971ff9eae7b4e1879295e6e",
        ),
        (
            "Argon2id 1.3",
            argon2(Id, V19),
            "somesalt",
            "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe",
        ),
        ("Argon2i 1.0", argon2(I, V16), "somesalt", "fd4dd83d762c49bdeaf57c47bdcd0c2f1babf863fdeb490df63ede9975fccf06"),
        ("Argon2i 1.3", argon2(I, V19), "somesalt", "89e9029f4637b295beb027056a7336c414fadd43f6b208645281cb214a56452f"),
        ("Argon2d 1.0", argon2(D, V16), "somesalt", "bd404868ff00c52e7543c8332e6a772a5724892d7e328d5cf253bbc8e726b371"),
        ("Argon2d 1.3", argon2(D, V19), "somesalt", "25c4ee8ba448054b49efc804e478b9d823be1f9bd2e99f51d6ec4007a3a1501f"),
        (
            "scrypt",
            Recipe::Scrypt { log_n: 10, r: 8, p: 2 },
            "NaCl",
            "6d1a16d34e5543ffa9f6322de7fc17a0e1a41b56e9b1d2a74803b067d24e5f66\
             96b60530009edb8dd0d12ca5c60a383d863ff024437a89fbf23f1b4c7069bacd",
        ),
        (
            "PBKDF2 with SHA-1, two blocks",
            pbkdf2(Pbkdf2Hmac::Sha1),
            "salt",
            "4b007901b765489abead49d926f721d065a429c12e463f6c4cd79401085b03dbc7e8b88f1447f8c3",
        ),
        (
            "PBKDF2 with SHA-256, two blocks",
            pbkdf2(Pbkdf2Hmac::Sha256),
            "salt",
            "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134af7ad98c1b458ce3f",
        ),
        (
            "PBKDF2 with SHA-512, less than a block",
            pbkdf2(Pbkdf2Hmac::Sha512),
            "salt",
            "d197b1b33db0143e018b12f3d1d1479e6cdebdcc97c5c0f87f6902e072f457b5143f30602641b3d5",
        ),
    ] {
        let expected = hex(expected);
        assert_eq!(hash(&recipe, b"password", salt.as_bytes(), expected.len()), expected, "{reason}");
        assert_ne!(hash(&recipe, b"passwore", salt.as_bytes(), expected.len()), expected, "{reason}: another password");
    }
}

/// The hashes of the Python package bcrypt, and of Django's BCryptSHA256PasswordHasher.
#[test]
fn bcrypt_reads_72_bytes_and_the_zero_behind_them() {
    let salt = hex("71d79f8218a39259a7a29aabb2dbafc3");
    let (plain, of_digest) = (Recipe::Bcrypt { cost: 4 }, Recipe::BcryptSha256 { cost: 4 });
    let long = "x".repeat(72);
    let longer = "x".repeat(80);
    for (reason, recipe, text, expected) in [
        ("a password", &plain, "password", "8a31be1b1fb020771689ae1e3c6d14c73a62b5d04bd5fa"),
        ("none at all", &plain, "", "774108e756b720a64ed33864c680049c590aa49d73964b"),
        ("all that is read", &plain, &long, "77571f8c8bd4e35187022c36d1fdaaad1f1e5f57408369"),
        ("what is behind is not read", &plain, &longer, "77571f8c8bd4e35187022c36d1fdaaad1f1e5f57408369"),
        ("of the digest", &of_digest, "password", "7316b4d1d63e5320da889b578464092a797188422226de"),
    ] {
        let got = hash(recipe, text.as_bytes(), &salt, BCRYPT_OUTPUT_BYTES);
        assert_eq!(got, hex(expected), "{reason}");
    }
}

/// The sample of github.com/firebase/scrypt.
#[test]
fn firebase_hides_its_key_under_the_password() {
    let b64 = |text: &str| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.decode(text).unwrap()
    };
    let signer_key = b64("jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==");
    let salt = [b64("42xEC+ixf3L2lw=="), b64("Bw==")].concat();
    let expected = b64("lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==");
    let recipe = Recipe::FirebaseScrypt { log_n: 14, r: 8, signer_key: SignerKey::new(signer_key) };
    assert_eq!(hash(&recipe, b"user1password", &salt, 64), expected);
    assert_ne!(hash(&recipe, b"user2password", &salt, 64), expected, "another password");
    assert_eq!(recipe.check(MEMORY_KIB_MAX, salt.len(), 32), Err(HashFault::BadInput), "as long as the key");
    assert_eq!(recipe.check(16 * 1024, salt.len(), 64), Err(HashFault::BadCost), "sixteen MiB and a little");
    assert!(!format!("{recipe:?}").contains("143"), "the key is not printed");
}

#[test]
fn what_is_dear_is_refused_before_it_waits() {
    let scrypt = |log_n, r, p| Recipe::Scrypt { log_n, r, p };
    let argon2 = |memory_kib, iterations| Recipe::from(Cost { memory_kib, iterations, parallelism: 1 });
    let sha1 = |iterations| Recipe::Pbkdf2 { hmac: Pbkdf2Hmac::Sha1, iterations };
    let (most, huge) = (MEMORY_KIB_MAX, 8 * 1024 * 1024);
    for (reason, recipe, memory_kib_max, output_bytes, is_good) in [
        ("Argon2 in all memory", argon2(most, 2), most, 32, true),
        ("Argon2 in more", argon2(most + 1, 2), most, 32, false),
        ("Argon2 for the longest time", argon2(1 << 20, 4), huge, 32, true),
        ("Argon2 for longer", argon2(1 << 20, 5), huge, 32, false),
        ("Argon2 without a pass", argon2(256, 0), most, 32, false),
        ("bcrypt, cheapest", Recipe::Bcrypt { cost: 4 }, most, 23, true),
        ("bcrypt, cheaper", Recipe::Bcrypt { cost: 3 }, most, 23, false),
        ("bcrypt, dearest", Recipe::Bcrypt { cost: BCRYPT_COST_MAX }, most, 23, true),
        ("bcrypt, dearer", Recipe::Bcrypt { cost: BCRYPT_COST_MAX + 1 }, most, 23, false),
        ("bcrypt of a digest, dearer", Recipe::BcryptSha256 { cost: BCRYPT_COST_MAX + 1 }, most, 23, false),
        ("scrypt with little memory", scrypt(14, 8, 1), most, 32, true),
        ("scrypt with more than there is", scrypt(15, 8, 1), most, 32, false),
        ("scrypt for the longest time", scrypt(17, 8, 8), huge, 32, true),
        ("scrypt for longer", scrypt(17, 8, 9), huge, 32, false),
        ("scrypt past every number", scrypt(63, u32::MAX, u32::MAX), u32::MAX, 32, false),
        ("scrypt without lanes", scrypt(14, 8, 0), most, 32, false),
        ("scrypt without blocks", scrypt(14, 0, 1), most, 32, false),
        ("scrypt of one", scrypt(0, 8, 1), most, 32, false),
        ("PBKDF2, dearest", sha1(PBKDF2_ITERATIONS_MAX), most, 40, true),
        ("PBKDF2, dearer", sha1(PBKDF2_ITERATIONS_MAX + 1), most, 20, false),
        ("PBKDF2, dearest but for a third block", sha1(PBKDF2_ITERATIONS_MAX), most, 41, false),
        ("PBKDF2 without iterations", sha1(0), most, 20, false),
        ("SHA-crypt, cheapest", Recipe::Sha512Crypt { rounds: 1000 }, most, 64, true),
        ("SHA-crypt, cheaper", Recipe::Sha512Crypt { rounds: 999 }, most, 64, false),
        ("SHA-crypt, dearest", Recipe::Sha256Crypt { rounds: SHA_CRYPT_ROUNDS_MAX }, most, 32, true),
        ("SHA-crypt, dearer", Recipe::Sha256Crypt { rounds: SHA_CRYPT_ROUNDS_MAX + 1 }, most, 32, false),
    ] {
        let checked = recipe.check(memory_kib_max, BCRYPT_SALT_BYTES, output_bytes);
        assert_eq!(checked, if is_good { Ok(()) } else { Err(HashFault::BadCost) }, "{reason}");
    }
}

#[test]
fn salt_and_output_fit_the_recipe() {
    let (ours, bcrypt) = (Recipe::from(CHEAP), Recipe::Bcrypt { cost: 4 });
    let (pbkdf2, wide) =
        (Recipe::Pbkdf2 { hmac: Pbkdf2Hmac::Sha256, iterations: 1 }, Recipe::Sha512Crypt { rounds: 1000 });
    for (reason, recipe, salt_bytes, output_bytes, is_good) in [
        ("as we make them", &ours, 16, 32, true),
        ("a short salt", &ours, 7, 32, false),
        ("a long salt", &ours, SALT_BYTES_MAX + 1, 32, false),
        ("a short output", &ours, 16, 3, false),
        ("a long output", &ours, 16, OUTPUT_BYTES_MAX + 1, false),
        ("bcrypt", &bcrypt, 16, 23, true),
        ("bcrypt with a short salt", &bcrypt, 15, 23, false),
        ("bcrypt with a long output", &bcrypt, 16, 24, false),
        ("PBKDF2 without a salt", &pbkdf2, 0, 32, true),
        ("PBKDF2 with a long salt", &pbkdf2, SALT_BYTES_MAX + 1, 32, false),
        ("PBKDF2 without an output", &pbkdf2, 8, 0, false),
        ("SHA-512-crypt", &wide, 8, 64, true),
        ("SHA-512-crypt, half of it", &wide, 8, 32, false),
    ] {
        let checked = recipe.check(MEMORY_KIB_MAX, salt_bytes, output_bytes);
        assert_eq!(checked, if is_good { Ok(()) } else { Err(HashFault::BadInput) }, "{reason}");
    }
}
