//! The fields that people fill in, and what can be wrong with one: a table, so that a field has the same label, limit
//! and `autocomplete` token wherever it stands.

use crate::catalog::Words;
use crate::when;

/// A field of a form. [`Field::name`] is what the browser sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    Email,
    NewEmail,
    Password,
    /// The password of the account, asked again where something is about to change.
    CurrentPassword,
    NewPassword,
    /// What the person wants to be called, at registration: the claim `name`.
    DisplayName,
    Name,
    GivenName,
    MiddleName,
    FamilyName,
    Nickname,
    PreferredUsername,
    Profile,
    Picture,
    Website,
    Gender,
    Birthdate,
    Zoneinfo,
    Locale,
    PhoneNumber,
    StreetAddress,
    Locality,
    Region,
    PostalCode,
    Country,
}

/// What is wrong with a field; the text says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldFault {
    Missing,
    /// Longer than so many characters.
    TooLong(usize),
    /// Shorter than so many characters.
    TooShort(usize),
    /// Not an address that mail can go to.
    NotAnAddress,
    /// Email and password do not match. The same for an account that is not there.
    Mismatch,
    /// This is not the current password.
    WrongPassword,
    /// On the list of passwords that are tried first.
    Common,
    /// Holds the person's own address or name.
    Personal,
    /// The new one is the old one.
    Unchanged,
    NotAUrl,
    NotADate,
    NotAZone,
    NotALocale,
    NotAPhone,
    /// Control characters and the like.
    Unprintable,
}

/// What is wrong with a form as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormFault {
    /// The form is too old or from another browser: sending it again works.
    Expired,
    /// Too many tries; the same for accounts that are not there.
    Limited { retry_after_s: u64 },
    /// The server has too much to do.
    Busy { retry_after_s: u64 },
}

/// What a form page shows as wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    pub fields: Vec<(Field, FieldFault)>,
    pub form: Option<FormFault>,
}

impl Faults {
    pub const fn none() -> Self {
        Self { fields: Vec::new(), form: None }
    }

    pub fn field(field: Field, fault: FieldFault) -> Self {
        Self { fields: vec![(field, fault)], form: None }
    }

    pub const fn form(fault: FormFault) -> Self {
        Self { fields: Vec::new(), form: Some(fault) }
    }

    pub fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.form.is_none()
    }

    pub(crate) fn find(&self, field: Field) -> Option<FieldFault> {
        self.fields.iter().find(|(known, _)| *known == field).map(|(_, fault)| *fault)
    }

    pub(crate) fn is_first(&self, field: Field) -> bool {
        self.fields.first().is_some_and(|(first, _)| *first == field)
    }
}

/// How a field is asked for.
pub(crate) struct Asked {
    /// Of the form, and the id of the element.
    pub name: &'static str,
    /// The message of its label.
    pub label: &'static str,
    /// The message below it.
    pub hint: Option<&'static str>,
    pub kind: &'static str,
    pub autocomplete: &'static str,
    pub inputmode: Option<&'static str>,
    pub is_required: bool,
    /// In characters; 0: not limited by the browser, so that nothing pasted is cut in silence.
    pub length_max: usize,
}

impl Field {
    pub fn name(self) -> &'static str {
        self.asked().name
    }

    /// What the browser is told of its length, in characters; 0 is nothing.
    pub fn length_max(self) -> usize {
        self.asked().length_max
    }

    pub(crate) fn asked(self) -> Asked {
        let text = |name, label, autocomplete| Asked {
            name,
            label,
            hint: None,
            kind: "text",
            autocomplete,
            inputmode: None,
            is_required: false,
            length_max: 255,
        };
        let address = |name, label, autocomplete| Asked {
            kind: "email",
            inputmode: Some("email"),
            is_required: true,
            length_max: 320,
            ..text(name, label, autocomplete)
        };
        let secret = |name, label, autocomplete| Asked {
            kind: "password",
            is_required: true,
            length_max: 0,
            ..text(name, label, autocomplete)
        };
        let url = |name, label, autocomplete| Asked {
            kind: "url",
            inputmode: Some("url"),
            length_max: 2048,
            ..text(name, label, autocomplete)
        };
        match self {
            Self::Email => address("email", "field-email", "username"),
            Self::NewEmail => address("new_email", "field-new-email", "email"),
            Self::Password => secret("password", "field-password", "current-password"),
            Self::CurrentPassword => secret("current_password", "field-current-password", "current-password"),
            Self::NewPassword => Asked {
                hint: Some("field-new-password-hint"),
                ..secret("new_password", "field-new-password", "new-password")
            },
            Self::DisplayName => Asked {
                is_required: true,
                hint: Some("field-display-name-hint"),
                ..text("name", "field-display-name", "name")
            },
            Self::Name => text("name", "field-name", "name"),
            Self::GivenName => text("given_name", "field-given-name", "given-name"),
            Self::MiddleName => text("middle_name", "field-middle-name", "additional-name"),
            Self::FamilyName => text("family_name", "field-family-name", "family-name"),
            Self::Nickname => text("nickname", "field-nickname", "nickname"),
            Self::PreferredUsername => Asked {
                hint: Some("field-preferred-username-hint"),
                ..text("preferred_username", "field-preferred-username", "off")
            },
            Self::Profile => url("profile", "field-profile", "off"),
            Self::Picture => url("picture", "field-picture", "photo"),
            Self::Website => url("website", "field-website", "url"),
            Self::Gender => text("gender", "field-gender", "sex"),
            Self::Birthdate => Asked {
                hint: Some("field-birthdate-hint"),
                length_max: 10,
                ..text("birthdate", "field-birthdate", "bday")
            },
            Self::Zoneinfo => {
                Asked { hint: Some("field-zoneinfo-hint"), length_max: 64, ..text("zoneinfo", "field-zoneinfo", "off") }
            }
            Self::Locale => {
                Asked { hint: Some("field-locale-hint"), length_max: 35, ..text("locale", "field-locale", "language") }
            }
            Self::PhoneNumber => Asked {
                kind: "tel",
                inputmode: Some("tel"),
                hint: Some("field-phone-number-hint"),
                length_max: 64,
                ..text("phone_number", "field-phone-number", "tel")
            },
            Self::StreetAddress => Asked {
                kind: "area",
                length_max: 1024,
                ..text("street_address", "field-street-address", "street-address")
            },
            Self::Locality => text("locality", "field-locality", "address-level2"),
            Self::Region => text("region", "field-region", "address-level1"),
            Self::PostalCode => Asked { length_max: 32, ..text("postal_code", "field-postal-code", "postal-code") },
            Self::Country => text("country", "field-country", "country-name"),
        }
    }
}

impl FieldFault {
    pub(crate) fn text(self, words: Words<'_>) -> String {
        let plain = |id| words.text(id, &[]);
        match self {
            Self::Missing => plain("fault-missing"),
            Self::TooLong(max) => words.count("fault-too-long", max as u64),
            Self::TooShort(min) => words.count("fault-too-short", min as u64),
            Self::NotAnAddress => plain("fault-not-an-address"),
            Self::Mismatch => plain("fault-mismatch"),
            Self::WrongPassword => plain("fault-wrong-password"),
            Self::Common => plain("fault-common"),
            Self::Personal => plain("fault-personal"),
            Self::Unchanged => plain("fault-unchanged"),
            Self::NotAUrl => plain("fault-not-a-url"),
            Self::NotADate => plain("fault-not-a-date"),
            Self::NotAZone => plain("fault-not-a-zone"),
            Self::NotALocale => plain("fault-not-a-locale"),
            Self::NotAPhone => plain("fault-not-a-phone"),
            Self::Unprintable => plain("fault-unprintable"),
        }
    }
}

impl FormFault {
    pub(crate) fn text(self, words: Words<'_>) -> String {
        let wait = |id, retry_after_s| words.text(id, &[("wait", &when::wait(words, retry_after_s))]);
        match self {
            Self::Expired => words.text("fault-expired", &[]),
            Self::Limited { retry_after_s } => wait("fault-limited", retry_after_s),
            Self::Busy { retry_after_s } => wait("fault-busy", retry_after_s),
        }
    }
}
