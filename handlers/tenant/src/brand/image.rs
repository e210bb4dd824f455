//! What an image is, by its own first bytes.
//!
//! PNG (W3C PNG, 5.2 and 11.2.2), JPEG (ITU-T T.81, B.2.2) and WebP (RFC 9649). Only as much is read as says the format and
//! the size in pixels; whether the rest is sound is the browser's business, which shows nothing where it is not.

use std::fmt;

use sigid_core::secret::Digest32;

use super::{LOGO_BYTES_MAX, LOGO_SIDE_PIXELS_MAX};

/// An image that may be a logo.
#[derive(Clone, PartialEq, Eq)]
pub struct Logo {
    format: Format,
    width: u32,
    height: u32,
    content: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Png,
    Jpeg,
    Webp,
}

/// Why an image is no logo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogoFault {
    /// Not PNG, JPEG or WebP.
    Format,
    TooLarge,
    /// No pixels at all, or too many.
    Size,
}

impl fmt::Display for LogoFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format => f.write_str("the logo is not PNG, JPEG or WebP"),
            Self::TooLarge => write!(f, "the logo is larger than {} KiB", LOGO_BYTES_MAX / 1024),
            Self::Size => write!(f, "a side of the logo is not 1 to {LOGO_SIDE_PIXELS_MAX} pixels"),
        }
    }
}

impl fmt::Debug for Logo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Logo({:?}, {} x {}, {} bytes)", self.format, self.width, self.height, self.content.len())
    }
}

impl Logo {
    /// Reads what it is.
    pub fn read(content: Vec<u8>) -> Result<Self, LogoFault> {
        if content.len() > LOGO_BYTES_MAX {
            return Err(LogoFault::TooLarge);
        }
        let (format, (width, height)) = look(&content).ok_or(LogoFault::Format)?;
        let is_good = |side| (1..=LOGO_SIDE_PIXELS_MAX).contains(&side);
        if is_good(width) && is_good(height) {
            Ok(Self { format, width, height, content })
        } else {
            Err(LogoFault::Size)
        }
    }

    pub fn media_type(&self) -> &'static str {
        match self.format {
            Format::Png => "image/png",
            Format::Jpeg => "image/jpeg",
            Format::Webp => "image/webp",
        }
    }

    pub fn width(&self) -> u32 {
        self.width
    }

    pub fn height(&self) -> u32 {
        self.height
    }

    pub fn content(&self) -> &[u8] {
        &self.content
    }

    pub fn digest(&self) -> Digest32 {
        Digest32::of(&self.content)
    }
}

/// Format, and width and height in pixels.
fn look(content: &[u8]) -> Option<(Format, (u32, u32))> {
    if let Some(rest) = content.strip_prefix(b"\x89PNG\r\n\x1a\n") {
        return png(rest).map(|size| (Format::Png, size));
    }
    if content.starts_with(b"\xff\xd8\xff") {
        return jpeg(content).map(|size| (Format::Jpeg, size));
    }
    let is_webp = content.starts_with(b"RIFF") && content.get(8..12) == Some(b"WEBP");
    if is_webp { webp(content).map(|size| (Format::Webp, size)) } else { None }
}

/// The first chunk is the header.
fn png(rest: &[u8]) -> Option<(u32, u32)> {
    let header = rest.strip_prefix(b"\0\0\0\x0dIHDR")?;
    let side = |at: usize| header.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    Some((side(0)?, side(4)?))
}

/// Segments up to the first frame header.
fn jpeg(content: &[u8]) -> Option<(u32, u32)> {
    let mut at = 2;
    loop {
        let marker = match content.get(at..at + 2)? {
            [0xff, 0xff] => {
                at += 1;
                continue;
            }
            [0xff, marker] => *marker,
            _ => return None,
        };
        let segment = content.get(at + 2..)?;
        let length = usize::from(u16::from_be_bytes(segment.get(..2)?.try_into().ok()?));
        match marker {
            // Frame headers; not the tables of Huffman codes and of arithmetic coding, nor an extension.
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let side = |at: usize| Some(u32::from(u16::from_be_bytes(segment.get(at..at + 2)?.try_into().ok()?)));
                return Some((side(5)?, side(3)?));
            }
            // Markers without a segment do not stand before a frame; a scan before one is none.
            0x01 | 0xd0..=0xda => return None,
            _ if length < 2 => return None,
            _ => at += 2 + length,
        }
    }
}

/// Extended, lossless or lossy, by the first chunk.
fn webp(content: &[u8]) -> Option<(u32, u32)> {
    let (name, chunk) = (content.get(12..16)?, content.get(20..)?);
    let byte = |at: usize| chunk.get(at).copied().map(u32::from);
    match name {
        b"VP8X" => {
            let side = |at: usize| Some(1 + (byte(at)? | byte(at + 1)? << 8 | byte(at + 2)? << 16));
            Some((side(4)?, side(7)?))
        }
        b"VP8L" if byte(0)? == 0x2f => {
            let bits = u32::from_le_bytes(chunk.get(1..5)?.try_into().ok()?);
            Some((1 + (bits & 0x3fff), 1 + (bits >> 14 & 0x3fff)))
        }
        b"VP8 " if chunk.get(3..6)? == b"\x9d\x01\x2a" => {
            let side = |at: usize| Some((byte(at)? | byte(at + 1)? << 8) & 0x3fff);
            Some((side(6)?, side(8)?))
        }
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn png_of(width: u32, height: u32) -> Vec<u8> {
        [b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".as_slice(), &width.to_be_bytes(), &height.to_be_bytes(), b"\x08\x06\0\0\0"]
            .concat()
    }

    fn jpeg_of(width: u16, height: u16) -> Vec<u8> {
        [
            b"\xff\xd8\xff\xe0\x00\x04JF\xff\xdb\x00\x03\x00\xff\xff\xc2\x00\x11\x08".as_slice(),
            &height.to_be_bytes(),
            &width.to_be_bytes(),
            b"\x03\x01\x11\0",
        ]
        .concat()
    }

    fn webp_of(chunk: &[u8]) -> Vec<u8> {
        [b"RIFF\x20\0\0\0WEBP".as_slice(), chunk].concat()
    }

    #[test]
    fn an_image_is_what_its_bytes_say() {
        for (reason, content, expected) in [
            ("PNG", png_of(64, 32), Ok(("image/png", 64, 32))),
            ("JPEG, after other segments", jpeg_of(64, 32), Ok(("image/jpeg", 64, 32))),
            ("WebP, extended", webp_of(b"VP8X\x0a\0\0\0\x10\0\0\0\x3f\0\0\x1f\0\0"), Ok(("image/webp", 64, 32))),
            ("WebP, lossless", webp_of(b"VP8L\x05\0\0\0\x2f\x3f\xc0\x07\x00"), Ok(("image/webp", 64, 32))),
            ("WebP, lossy", webp_of(b"VP8 \x0a\0\0\0\0\0\0\x9d\x01\x2a\x40\0\x20\0"), Ok(("image/webp", 64, 32))),
            ("the longest side", png_of(2048, 1), Ok(("image/png", 2048, 1))),
            ("a wall of pixels", png_of(2049, 1), Err(LogoFault::Size)),
            ("the largest wall", png_of(u32::MAX, u32::MAX), Err(LogoFault::Size)),
            ("no pixels", png_of(0, 32), Err(LogoFault::Size)),
            ("SVG", b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>".to_vec(), Err(LogoFault::Format)),
            ("a page", b"<!doctype html><script>alert(1)</script>".to_vec(), Err(LogoFault::Format)),
            ("GIF", b"GIF89a\x01\0\x01\0".to_vec(), Err(LogoFault::Format)),
            ("a PNG that ends early", png_of(64, 32)[..20].to_vec(), Err(LogoFault::Format)),
            (
                "a PNG that begins with something else",
                {
                    let mut content = png_of(64, 32);
                    content[12] = b'X';
                    content
                },
                Err(LogoFault::Format),
            ),
            ("a JPEG without a frame", b"\xff\xd8\xff\xe0\x00\x02\xff\xda\x00\x02".to_vec(), Err(LogoFault::Format)),
            (
                "a JPEG whose segment has no length",
                b"\xff\xd8\xff\xe0\x00\x00\xff\xe0".to_vec(),
                Err(LogoFault::Format),
            ),
            ("a WebP of another kind", webp_of(b"ANIM\x06\0\0\0\0\0\0\0\0\0"), Err(LogoFault::Format)),
            ("a container of another kind", b"RIFF\x20\0\0\0WAVEfmt ".to_vec(), Err(LogoFault::Format)),
            ("nothing", Vec::new(), Err(LogoFault::Format)),
        ] {
            let read = Logo::read(content);
            let shown = read.as_ref().map(|logo| (logo.media_type(), logo.width(), logo.height()));
            assert_eq!(shown.map_err(|fault| *fault), expected, "{reason}");
        }
        let mut large = png_of(64, 32);
        large.resize(LOGO_BYTES_MAX + 1, 0);
        assert_eq!(Logo::read(large.clone()).err(), Some(LogoFault::TooLarge));
        large.pop();
        assert!(Logo::read(large).is_ok(), "the largest");
    }

    #[test]
    fn no_bytes_make_it_stumble() {
        for whole in [png_of(64, 32), jpeg_of(64, 32), webp_of(b"VP8X\x0a\0\0\0\x10\0\0\0\x3f\0\0\x1f\0\0")] {
            for end in 0..whole.len() {
                let _ = look(&whole[..end]);
            }
            for at in 0..whole.len() {
                let mut broken = whole.clone();
                broken[at] ^= 0xff;
                let _ = look(&broken);
            }
        }
    }
}
