//! What a claim may hold, and its one spelling.

use sigid_pages::FieldFault;
use std::fmt;
use unicode_normalization::UnicodeNormalization as _;

/// The longest text of a claim, in characters.
pub const CLAIM_CHARS_MAX: usize = 255;
/// The longest text that may have several lines, in characters.
pub const LINES_CHARS_MAX: usize = 1024;
/// The longest URL of a claim, in bytes.
pub const CLAIM_URL_BYTES_MAX: usize = 2048;
const DATE_CHARS_MAX: usize = 10;
const ZONE_CHARS_MAX: usize = 64;
const TAG_CHARS_MAX: usize = 35;
/// As a person writes it, with blanks and hyphens.
const PHONE_CHARS_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// At most so many characters.
    Text(usize),
    /// The same, with line breaks.
    Lines(usize),
    /// `https` alone.
    Url,
    /// ISO 8601: `YYYY-MM-DD`, `YYYY`, or `0000-MM-DD`.
    Date,
    /// A name of the tz database, by its form.
    Zone,
    /// BCP 47, by its form.
    Tag,
    /// E.164.
    Phone,
    Flag,
    /// Section 5.1.1.
    Address,
}

/// What is wrong with a value, without the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    NotAText,
    NotAFlag,
    NotAnAddress,
    /// More characters than this.
    TooLong(usize),
    /// A control character, or one that turns the direction of what follows or hides in it; or nothing that can be seen.
    Unprintable,
    NotAUrl,
    NotADate,
    NotAZone,
    NotALanguage,
    NotAPhone,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAText => "is not a text",
            Self::NotAFlag => "is not true or false",
            Self::NotAnAddress => {
                "is not an object with formatted, street_address, locality, region, postal_code or country"
            }
            Self::TooLong(max) => return write!(f, "has more than {max} characters"),
            Self::Unprintable => "holds a control or hidden character, or nothing that can be seen",
            Self::NotAUrl => "is not a URL that begins with https:// and has a host",
            Self::NotADate => "is not a date such as 1990-02-28, 1990 or 0000-02-28",
            Self::NotAZone => "is not a time zone such as Europe/Vienna",
            Self::NotALanguage => "is not a language such as de or de-AT",
            Self::NotAPhone => "is not a telephone number such as +43 1 5550100",
        })
    }
}

impl From<Wrong> for FieldFault {
    /// What is said beside a field.
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::TooLong(max) => Self::TooLong(max),
            Wrong::NotAUrl => Self::NotAUrl,
            Wrong::NotADate => Self::NotADate,
            Wrong::NotAZone => Self::NotAZone,
            Wrong::NotALanguage => Self::NotALocale,
            Wrong::NotAPhone => Self::NotAPhone,
            // A form holds texts only; the first is all that can come of one.
            Wrong::Unprintable | Wrong::NotAText | Wrong::NotAFlag | Wrong::NotAnAddress => Self::Unprintable,
        }
    }
}

impl Shape {
    /// The longest text, in characters; 0 where it is no text.
    pub const fn chars_max(self) -> usize {
        match self {
            Self::Text(max) | Self::Lines(max) => max,
            Self::Url => CLAIM_URL_BYTES_MAX,
            Self::Date => DATE_CHARS_MAX,
            Self::Zone => ZONE_CHARS_MAX,
            Self::Tag => TAG_CHARS_MAX,
            Self::Phone => PHONE_CHARS_MAX,
            Self::Flag | Self::Address => 0,
        }
    }

    /// A text in its one spelling; nothing for blanks.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(self, text: &str) -> Result<Option<String>, Wrong> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let is_lines = matches!(self, Self::Lines(_));
        let text = if is_lines { text.replace("\r\n", "\n") } else { text.to_owned() };
        let is_seen = text.chars().any(|c| !is_blank(c));
        if !is_seen || text.chars().any(|c| is_hidden(c) && !(is_lines && c == '\n')) {
            return Err(Wrong::Unprintable);
        }
        // Counted before it is composed, so that megabytes are not.
        if text.chars().count() > self.chars_max() {
            return Err(Wrong::TooLong(self.chars_max()));
        }
        self.spell(&text).map(Some)
    }

    fn spell(self, text: &str) -> Result<String, Wrong> {
        match self {
            Self::Text(max) | Self::Lines(max) => compose(text, max),
            Self::Url => held(text, is_url, Wrong::NotAUrl),
            Self::Date => held(text, is_date, Wrong::NotADate),
            Self::Zone => held(text, is_zone, Wrong::NotAZone),
            Self::Tag => tag(text).ok_or(Wrong::NotALanguage),
            Self::Phone => e164(text).ok_or(Wrong::NotAPhone),
            Self::Flag => Err(Wrong::NotAFlag),
            Self::Address => Err(Wrong::NotAnAddress),
        }
    }
}

fn held(text: &str, is_good: fn(&str) -> bool, wrong: Wrong) -> Result<String, Wrong> {
    if is_good(text) { Ok(text.to_owned()) } else { Err(wrong) }
}

/// Some characters become several in NFC.
fn compose(text: &str, chars_max: usize) -> Result<String, Wrong> {
    let composed: String = text.nfc().collect();
    if composed.chars().count() > chars_max { Err(Wrong::TooLong(chars_max)) } else { Ok(composed) }
}

/// Control characters, and those that turn the direction of what follows or hide in it.
pub(super) fn is_hidden(c: char) -> bool {
    let directs = matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let hides = matches!(
        c,
        '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    c.is_control() || directs || hides
}

/// What words need within and nobody sees alone: joiners, fillers, selectors, the blank of Braille.
fn is_blank(c: char) -> bool {
    let joins = matches!(c, '\u{ad}' | '\u{34f}' | '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}');
    let fills = matches!(c, '\u{115f}' | '\u{1160}' | '\u{2800}' | '\u{3164}' | '\u{ffa0}');
    c.is_whitespace() || joins || fills
}

/// `https`, a host, no user information, nothing that would break out of a page.
fn is_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_plain = |c: char| !c.is_whitespace() && !"<>\"'`\\{}|^".contains(c);
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    text.len() <= CLAIM_URL_BYTES_MAX
        && !host.is_empty()
        && !authority.contains('@')
        && !host.starts_with('.')
        && rest.chars().all(is_plain)
}

fn is_date(text: &str) -> bool {
    let number = |part: &str, digits: usize| -> Option<u32> {
        let is_plain = part.len() == digits && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| is_plain)
    };
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        [year] => number(year, 4).is_some_and(|year| year != 0),
        [year, month, day] => match (number(year, 4), number(month, 2), number(day, 2)) {
            (Some(year), Some(month), Some(day)) => (1..=days(year, month)).contains(&day),
            _ => false,
        },
        _ => false,
    }
}

/// The days of a month; none of a month that is none. A year that is not said may be a leap year.
fn days(year: u32, month: u32) -> u32 {
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => 0,
    }
}

/// `Europe/Vienna`, `America/Argentina/Ushuaia`, `UTC`.
fn is_zone(text: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic())
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'+'))
    };
    text.split('/').all(is_part) && text.split('/').count() <= 3
}

/// A language and what narrows it, in the case of RFC 5646 section 2.1.1: `de`, `de-AT`, `zh-Hant-TW`. Section 5.1 of
/// OpenID Connect knows that some write an underscore.
fn tag(text: &str) -> Option<String> {
    let mut spelled = String::with_capacity(text.len());
    let mut is_private = false;
    for (at, part) in text.split(['-', '_']).enumerate() {
        let is_alphabetic = part.bytes().all(|byte| byte.is_ascii_alphabetic());
        let is_part = (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_part || (at == 0 && !(is_alphabetic && part.len() >= 2)) {
            return None;
        }
        if at > 0 {
            spelled.push('-');
        }
        let lower = part.to_ascii_lowercase();
        match part.len() {
            2 if at > 0 && !is_private => spelled.push_str(&part.to_ascii_uppercase()),
            4 if at > 0 && !is_private && is_alphabetic => {
                let (first, rest) = lower.split_at(1);
                spelled.push_str(&first.to_ascii_uppercase());
                spelled.push_str(rest);
            }
            _ => spelled.push_str(&lower),
        }
        // What follows a single character is its own.
        is_private |= part.len() == 1;
    }
    Some(spelled)
}

/// `+` and 7 to 15 digits, without what people put between them.
fn e164(text: &str) -> Option<String> {
    let digits: String = text
        .strip_prefix('+')?
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '/' | '\u{a0}'))
        .collect();
    let is_number = (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    is_number.then(|| format!("+{digits}"))
}
