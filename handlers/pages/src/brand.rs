//! Whose pages these are: name, logo, and the one colour that may be set.
//!
//! A page that an application asked for has the brand of the application's tenant; other pages, and those of a tenant
//! without one, have the operator's, which is that of the tenant it was given to. Brands come with the tables, so a
//! change is seen on every node within the bound of the feed, and no page waits for one.
//!
//! Colour is decided by contrast (WCAG 2.2): the text on the accent is black or white, whichever is read better (1.4.3);
//! links, which stand on the page's own ground, are the accent moved towards black or white until they reach 4.5:1 in
//! each theme, and the edge of a button until it reaches 3:1 (1.4.11). A colour that cannot be read is refused.

use crate::paths;
use sigid_core::ids::TenantId;
use sigid_edge::brand::TenantBrand;
use sigid_edge::tables::Tables;
use std::fmt;

/// Whose pages these are; without anybody's brand it is SigID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brand {
    pub name: String,
    pub accent: Option<Accent>,
    /// A path of our own; never another origin.
    pub logo: Option<String>,
    /// Addresses of the privacy notice and the terms, shown at the foot.
    pub privacy: Option<String>,
    pub terms: Option<String>,
    /// Somebody's, and not what is there without one.
    pub is_given: bool,
}

impl Default for Brand {
    fn default() -> Self {
        Self { name: "SigID".into(), accent: None, logo: None, privacy: None, terms: None, is_given: false }
    }
}

impl Brand {
    /// The tenant's, or the operator's, or SigID.
    pub fn of(tables: &Tables, tenant: Option<TenantId>) -> Self {
        tables.find_brand(tenant).map(Self::given).unwrap_or_default()
    }

    fn given(brand: &TenantBrand) -> Self {
        Self {
            name: brand.name.clone(),
            accent: brand.accent.as_deref().and_then(|accent| Accent::parse(accent).ok()),
            logo: brand.logo.as_deref().map(paths::logo),
            privacy: brand.privacy_uri.clone(),
            terms: brand.terms_uri.clone(),
            is_given: true,
        }
    }

    /// The logo's whole address, for a letter.
    pub fn logo_address(&self, issuer: &str) -> Option<String> {
        self.logo.as_ref().map(|path| format!("{issuer}{path}"))
    }

    /// Who a letter is from, in place of the configured name.
    pub fn sender(&self) -> Option<String> {
        self.is_given.then(|| self.name.clone())
    }

    /// What stands in place of a logo.
    pub(crate) fn initial(name: &str) -> String {
        name.chars().find(|c| c.is_alphanumeric()).map(|c| c.to_uppercase().collect()).unwrap_or_default()
    }
}

/// A colour with the colours that follow from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accent {
    pub fill: Colour,
    /// Text on the fill.
    pub text: Colour,
    /// Links where the page is light.
    pub link_light: Colour,
    /// Links where it is dark.
    pub link_dark: Colour,
    /// The edge of what has the fill, where the page is light.
    pub edge_light: Colour,
    /// And where it is dark.
    pub edge_dark: Colour,
}

/// Why a colour is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccentFault {
    /// Not `#rrggbb`.
    NotAColour,
    /// Neither black nor white reaches 4.5:1 on it.
    Unreadable,
}

impl Accent {
    /// From `#rrggbb`.
    pub fn parse(text: &str) -> Result<Self, AccentFault> {
        let fill = Colour::parse(text).ok_or(AccentFault::NotAColour)?;
        Ok(Self {
            fill,
            text: readable_on(fill).ok_or(AccentFault::Unreadable)?,
            link_light: fill.toward(Colour::BLACK, GROUND_LIGHT, CONTRAST_MIN).ok_or(AccentFault::Unreadable)?,
            link_dark: fill.toward(Colour::WHITE, GROUND_DARK, CONTRAST_MIN).ok_or(AccentFault::Unreadable)?,
            edge_light: fill.toward(Colour::BLACK, GROUND_LIGHT, EDGE_CONTRAST_MIN).ok_or(AccentFault::Unreadable)?,
            edge_dark: fill.toward(Colour::WHITE, GROUND_DARK, EDGE_CONTRAST_MIN).ok_or(AccentFault::Unreadable)?,
        })
    }

    /// The declarations for a page.
    pub(crate) fn style(&self) -> String {
        let under = if self.text == Colour::WHITE { Colour::BLACK } else { Colour::WHITE };
        format!(
            ":root{{--accent:{};--accent-text:{};--accent-under:{under};--accent-edge:{};--link:{}}}\
             @media (prefers-color-scheme:dark){{:root{{--accent-edge:{};--link:{}}}}}",
            self.fill, self.text, self.edge_light, self.link_light, self.edge_dark, self.link_dark
        )
    }
}

/// Black or white, whichever reads better on `ground`; `None` if neither reaches 4.5:1.
pub fn readable_on(ground: Colour) -> Option<Colour> {
    let better =
        if contrast(Colour::BLACK, ground) >= contrast(Colour::WHITE, ground) { Colour::BLACK } else { Colour::WHITE };
    (contrast(better, ground) >= CONTRAST_MIN).then_some(better)
}

/// The contrast of two colours, 1 to 21 (WCAG 2.2, "contrast ratio").
pub fn contrast(one: Colour, other: Colour) -> f64 {
    let (one, other) = (one.luminance(), other.luminance());
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

/// An sRGB colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour {
    pub red: u8,
    pub green: u8,
    pub blue: u8,
}

impl Colour {
    pub const BLACK: Self = Self { red: 0, green: 0, blue: 0 };
    pub const WHITE: Self = Self { red: 255, green: 255, blue: 255 };

    /// From `#rrggbb`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let value = u32::from_str_radix(digits, 16).ok()?;
        let [_, red, green, blue] = value.to_be_bytes();
        Some(Self { red, green, blue })
    }

    /// Relative luminance, 0 to 1 (WCAG 2.2).
    fn luminance(self) -> f64 {
        let linear = |channel: u8| {
            let value = f64::from(channel) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.red) + 0.7152 * linear(self.green) + 0.0722 * linear(self.blue)
    }

    /// The first step from here towards `end` that stands out so much from `ground`.
    fn toward(self, end: Self, ground: Self, contrast_min: f64) -> Option<Self> {
        let mix =
            |from: u8, to: u8, step: u16| ((u16::from(from) * (STEPS - step) + u16::from(to) * step) / STEPS) as u8;
        let at = |step| Self {
            red: mix(self.red, end.red, step),
            green: mix(self.green, end.green, step),
            blue: mix(self.blue, end.blue, step),
        };
        (0..=STEPS).map(at).find(|colour| contrast(*colour, ground) >= contrast_min)
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.red, self.green, self.blue)
    }
}

/// WCAG 2.2, 1.4.3, level AA.
const CONTRAST_MIN: f64 = 4.5;
/// WCAG 2.2, 1.4.11.
const EDGE_CONTRAST_MIN: f64 = 3.0;
const STEPS: u16 = 20;
/// `--sunken` of the sheet: the ground of each theme on which a link has the least contrast.
const GROUND_LIGHT: Colour = Colour { red: 0xf0, green: 0xf1, blue: 0xf4 };
const GROUND_DARK: Colour = Colour { red: 0x1b, green: 0x1f, blue: 0x28 };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_on_a_colour_is_computed() {
        for (reason, colour, expected) in [
            ("blue takes white", "#3b5bdb", Ok(Colour::WHITE)),
            ("yellow takes black", "#ffd400", Ok(Colour::BLACK)),
            ("white takes black", "#FFFFFF", Ok(Colour::BLACK)),
            ("the middle still takes one", "#777777", Ok(Colour::BLACK)),
            ("a name", "red", Err(AccentFault::NotAColour)),
            ("short", "#fff", Err(AccentFault::NotAColour)),
            ("a sign is no digit", "#+12345", Err(AccentFault::NotAColour)),
            ("a way out of the sheet", "#fff}body{", Err(AccentFault::NotAColour)),
        ] {
            assert_eq!(Accent::parse(colour).map(|accent| accent.text), expected, "{reason}");
        }
    }

    #[test]
    fn every_colour_that_is_taken_can_be_read() {
        let steps = || (0..=255_u8).step_by(15);
        for (red, green, blue) in steps().flat_map(|r| steps().flat_map(move |g| steps().map(move |b| (r, g, b)))) {
            let fill = Colour { red, green, blue };
            let accent = Accent::parse(&fill.to_string()).unwrap();
            for (reason, text, ground) in [
                ("text on the fill", accent.text, fill),
                ("a link on light ground", accent.link_light, GROUND_LIGHT),
                ("a link on dark ground", accent.link_dark, GROUND_DARK),
            ] {
                assert!(contrast(text, ground) >= CONTRAST_MIN, "{fill}: {reason}: {text}");
            }
            for (reason, edge, ground) in [
                ("the edge on light ground", accent.edge_light, GROUND_LIGHT),
                ("the edge on dark ground", accent.edge_dark, GROUND_DARK),
            ] {
                assert!(contrast(edge, ground) >= EDGE_CONTRAST_MIN, "{fill}: {reason}: {edge}");
            }
        }
        let off = (contrast(Colour::BLACK, Colour::WHITE) - 21.0).abs();
        assert!(off < 1e-9, "the scale ends at 21");
    }

    #[test]
    fn the_grounds_are_those_of_the_sheet() {
        let sheet = include_str!("../assets/sigid.css");
        let grounds: Vec<&str> = sheet.split("--sunken:").skip(1).filter_map(|rest| rest.get(..7)).collect();
        assert_eq!(grounds, [GROUND_LIGHT.to_string(), GROUND_DARK.to_string()]);
    }
}
