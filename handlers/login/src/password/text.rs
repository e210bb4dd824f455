//! The alphabets and numbers of stored hashes.

use super::stored::StoredFault;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Base64 as the formats have it: written without padding; read with it or without, in the alphabet of RFC 4648 section 4
/// or 5, or with passlib's dot for the plus.
pub(super) struct B64;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_encode_padding(false)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BCRYPT: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, LENIENT);

impl B64 {
    pub fn encode(bytes: &[u8]) -> String {
        STANDARD.encode(bytes)
    }

    pub fn decode(text: &str) -> Result<Vec<u8>, StoredFault> {
        let standard = |symbol| match symbol {
            '-' | '.' => '+',
            '_' => '/',
            symbol => symbol,
        };
        let standard: String = text.chars().map(standard).collect();
        STANDARD.decode(standard).map_err(|_| StoredFault::Malformed)
    }
}

pub(super) fn bcrypt_encode(bytes: &[u8]) -> String {
    BCRYPT.encode(bytes)
}

/// Some implementations leave bits in the last symbol that mean nothing.
pub(super) fn bcrypt_decode(text: &str) -> Result<Vec<u8>, StoredFault> {
    BCRYPT.decode(text).map_err(|_| StoredFault::Malformed)
}

pub(super) fn hex_decode(text: &str) -> Result<Vec<u8>, StoredFault> {
    let half = |symbol: u8| char::from(symbol).to_digit(16).and_then(|half| u8::try_from(half).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|&[high, low]| Some(half(high)? << 4 | half(low)?)).collect::<Option<Vec<u8>>>();
    bytes.filter(|_| rest.is_empty()).ok_or(StoredFault::Malformed)
}

/// A decimal number as it is written: no sign, no zero in front.
pub(super) fn number(text: &str) -> Result<u32, StoredFault> {
    let is_decimal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_decimal).ok_or(StoredFault::Malformed)
}

/// `m=19456,t=2,p=1`: exactly these names, in any order.
pub(super) fn numbers<const N: usize>(text: &str, names: [&str; N]) -> Result<[u32; N], StoredFault> {
    let pairs: Vec<(&str, &str)> = text.split(',').filter_map(|pair| pair.split_once('=')).collect();
    if pairs.len() != N || text.split(',').count() != N {
        return Err(StoredFault::Malformed);
    }
    let mut values = [0; N];
    for (value, name) in values.iter_mut().zip(names) {
        let (_, found) = pairs.iter().find(|(known, _)| *known == name).ok_or(StoredFault::Malformed)?;
        *value = number(found)?;
    }
    Ok(values)
}

// --- SHA-crypt -------------------------------------------------------------------------------------------------

const CRYPT_SYMBOLS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The bytes of a hash in the order in which crypt(3) writes them, three for four symbols.
fn crypt_order(output_bytes: usize) -> Vec<usize> {
    let is_wide = output_bytes == 64;
    let (groups, mut group) = if is_wide { (21, [0, 21, 42]) } else { (10, [0, 10, 20]) };
    let mut order = Vec::with_capacity(output_bytes);
    for _ in 0..groups {
        order.extend(group);
        let [a, b, c] = group;
        group = if is_wide { [b + 1, c + 1, a + 1] } else { [c + 1, a + 1, b + 1] };
    }
    order.extend(if is_wide { [63].as_slice() } else { [31, 30].as_slice() });
    order
}

pub(super) fn sha_crypt_encode(output: &[u8]) -> String {
    let ordered: Vec<u8> =
        crypt_order(output.len()).into_iter().map(|at| output.get(at).copied().unwrap_or_default()).collect();
    let mut text = String::with_capacity(ordered.len() * 4 / 3 + 1);
    for chunk in ordered.chunks(3) {
        let mut value = chunk.iter().fold(0, |value, byte| value << 8 | usize::from(*byte));
        for _ in 0..=chunk.len() {
            text.push(CRYPT_SYMBOLS.get(value & 63).copied().map_or('.', char::from));
            value >>= 6;
        }
    }
    text
}

pub(super) fn sha_crypt_decode(text: &str, output_bytes: usize) -> Result<Vec<u8>, StoredFault> {
    let mut ordered = Vec::with_capacity(output_bytes);
    for chunk in text.as_bytes().chunks(4) {
        let mut value = 0;
        for symbol in chunk.iter().rev() {
            let digit = CRYPT_SYMBOLS.iter().position(|known| known == symbol).ok_or(StoredFault::Malformed)?;
            value = value << 6 | digit;
        }
        let bytes = chunk.len() - 1;
        ordered.extend(value.to_be_bytes().into_iter().skip(size_of::<usize>() - bytes));
    }
    let order = crypt_order(output_bytes);
    if ordered.len() != order.len() {
        return Err(StoredFault::Malformed);
    }
    let mut output = vec![0; output_bytes];
    for (at, byte) in order.into_iter().zip(ordered) {
        *output.get_mut(at).ok_or(StoredFault::Malformed)? = byte;
    }
    Ok(output)
}
