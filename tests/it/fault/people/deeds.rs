//! What people do, each a request that writes in one transaction.

use sigid_login::flows::links::{EMAIL, RECOVER, SETUP, UNDO, VERIFY};

use super::town::{Request, Scene, Town};
use crate::account::people::{Browser, NEW_PASSWORD, PASSWORD, make};
use crate::support::ask::escape;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Register,
    /// The page behind a confirmation's link.
    Look,
    Confirm,
    /// By the password, in another browser.
    ConfirmElsewhere,
    SignIn,
    SignOut,
    AskRecovery,
    Recover,
    SetUp,
    ChangePassword,
    AskAddress,
    ProveAddress,
    TakeBack,
    EndSession,
    EndOthers,
    Delete,
    Keep,
    /// The way to an application, for the first time.
    Enter,
}

const ENTER: &str = "https://localhost:9443/orders";

impl Deed {
    /// The status of its success.
    pub fn good(self) -> u16 {
        match self {
            Self::Register
            | Self::Look
            | Self::SignOut
            | Self::AskRecovery
            | Self::AskAddress
            | Self::EndSession
            | Self::EndOthers => 200,
            Self::Confirm
            | Self::ConfirmElsewhere
            | Self::SignIn
            | Self::Recover
            | Self::SetUp
            | Self::ChangePassword
            | Self::ProveAddress
            | Self::TakeBack
            | Self::Delete
            | Self::Keep
            | Self::Enter => 303,
        }
    }

    /// Its answer is a page that asks the database once more, when all is done.
    pub fn looks_again(self) -> bool {
        matches!(self, Self::EndSession | Self::EndOthers)
    }

    /// So many awaits there are at least of a kind, or the sweep has not swept.
    pub fn awaits_min(self, place: &str) -> u32 {
        match (place, self) {
            ("*@auth", Self::Look) => 3,
            ("*@auth", _) => 5,
            // A foreign hash is made anew.
            (_, Self::SignIn | Self::ChangePassword) => 2,
            (
                _,
                Self::Register | Self::ConfirmElsewhere | Self::Recover | Self::SetUp | Self::AskAddress | Self::Delete,
            ) => 1,
            _ => 0,
        }
    }

    pub async fn prepare(self, town: &Town, email: String) -> Scene {
        let anew = || async { Browser::open(&town.server).await };
        match self {
            Self::Register => {
                let mut browser = anew().await;
                let fields = register_fields(&mut browser, &email).await;
                Scene { browser, email, request: Request::Post("/register", fields), secrets: Vec::new() }
            }
            Self::Look | Self::Confirm | Self::ConfirmElsewhere => self.prepare_confirmation(town, email).await,
            Self::SignIn => {
                make(&town.site, &email).await;
                let mut browser = anew().await;
                let token = browser.token("/login").await;
                let fields = vec![("csrf", token), ("email", email.clone()), ("password", PASSWORD.to_owned())];
                Scene { browser, email, request: Request::Post("/login", fields), secrets: Vec::new() }
            }
            Self::AskRecovery => {
                make(&town.site, &email).await;
                let mut browser = anew().await;
                let fields = vec![("csrf", browser.token("/recover").await), ("email", email.clone())];
                Scene { browser, email, request: Request::Post("/recover", fields), secrets: Vec::new() }
            }
            Self::Recover | Self::SetUp => self.prepare_password(town, email).await,
            _ => self.prepare_signed_in(town, email).await,
        }
    }

    async fn prepare_confirmation(self, town: &Town, email: String) -> Scene {
        let mut browser = Browser::open(&town.server).await;
        let fields = register_fields(&mut browser, &email).await;
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.send("/register", &fields).await.expect(200);
        let link = town.link(&VERIFY, "register", &email, None).await;
        if self == Self::ConfirmElsewhere {
            browser = Browser::open(&town.server).await;
        }
        let shown = format!("/verify?link={link}");
        let token = browser.token(&shown).await;
        let mut fields = vec![("csrf", token), ("link", link.clone())];
        if self == Self::ConfirmElsewhere {
            fields.push(("password", PASSWORD.to_owned()));
        }
        let request = if self == Self::Look { Request::Get(shown) } else { Request::Post("/verify", fields) };
        Scene { browser, email, request, secrets: vec![link] }
    }

    async fn prepare_password(self, town: &Town, email: String) -> Scene {
        make(&town.site, &email).await;
        let (path, link) = if self == Self::Recover {
            let mut browser = Browser::open(&town.server).await;
            browser.post("/recover", &[("email", &email)]).await.expect(200);
            let data = serde_json::json!({ "user_id": town.user_id(&email).await });
            ("/recover/password", town.link(&RECOVER, "recover", &email, Some(data)).await)
        } else {
            let made = town.site.admin(&["user", "setup-link", &email]).json();
            (SETUP.path, made["setup_link"].as_str().unwrap().split_once("link=").unwrap().1.to_owned())
        };
        let mut browser = Browser::open(&town.server).await;
        let token = browser.token(&format!("{path}?link={link}")).await;
        let fields = vec![("csrf", token), ("link", link.clone()), ("new_password", NEW_PASSWORD.to_owned())];
        Scene { browser, email, request: Request::Post(path, fields), secrets: vec![link] }
    }

    async fn prepare_signed_in(self, town: &Town, email: String) -> Scene {
        make(&town.site, &email).await;
        let mut browser = Browser::signed_in(&town.server, &email, PASSWORD).await;
        let new = format!("new-{email}");
        let current = || ("current_password", PASSWORD.to_owned());
        let (path, fields): (&'static str, Vec<(&'static str, String)>) = match self {
            Self::SignOut => ("/logout", Vec::new()),
            Self::ChangePassword => ("/account/password", vec![current(), ("new_password", NEW_PASSWORD.to_owned())]),
            Self::AskAddress => ("/account/email", vec![current(), ("new_email", new)]),
            Self::ProveAddress | Self::TakeBack => return self.prepare_address(town, browser, email).await,
            Self::EndSession | Self::EndOthers => {
                let mut elsewhere = Browser::signed_in(&town.server, &email, PASSWORD).await;
                elsewhere.get(&format!("/session/start?client_id=shop&return_to={}", escape(ENTER))).await.expect(303);
                let id = elsewhere.session().unwrap().split_once('.').unwrap().0;
                let id = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..]].join("-");
                let end = if self == Self::EndSession { id } else { "others".to_owned() };
                ("/account/sessions", vec![("end", end)])
            }
            Self::Delete => ("/account/deletion", vec![current()]),
            Self::Keep => {
                browser.post("/account/deletion", &[("current_password", PASSWORD)]).await.expect(303);
                browser = Browser::signed_in(&town.server, &email, PASSWORD).await;
                ("/account/deletion", vec![("keep", "yes".to_owned())])
            }
            _ => {
                let target = format!("/session/start?client_id=shop&return_to={}", escape(ENTER));
                return Scene { browser, email, request: Request::Get(target), secrets: Vec::new() };
            }
        };
        let token = browser.token(path).await;
        let fields = [vec![("csrf", token)], fields].concat();
        Scene { browser, email, request: Request::Post(path, fields), secrets: Vec::new() }
    }

    async fn prepare_address(self, town: &Town, mut browser: Browser, email: String) -> Scene {
        let new = format!("new-{email}");
        let fields = [("new_email", new.as_str()), ("current_password", PASSWORD)];
        browser.post("/account/email", &fields).await.expect(200);
        let link = town.link(&EMAIL, "email_confirm", &new, None).await;
        let (path, link) = if self == Self::TakeBack {
            browser.press("/email/confirm", &link).await.expect(303);
            ("/email/undo", town.link(&UNDO, "email_changed_old", &email, None).await)
        } else {
            ("/email/confirm", link)
        };
        let token = browser.token(&format!("{path}?link={link}")).await;
        let fields = vec![("csrf", token), ("link", link.clone())];
        Scene { browser, email, request: Request::Post(path, fields), secrets: vec![link] }
    }

    /// What must be so once it is done.
    pub async fn prove(self, town: &Town, scene: &mut Scene) {
        let email = scene.email.as_str();
        let sees = |password, expected: Option<&'static str>| async move {
            let seen = town.sign_in(email, password).await;
            assert_eq!(seen.as_deref(), expected, "{self:?}: {email} with {password}");
        };
        match self {
            Self::Register | Self::Look => sees(PASSWORD, None).await,
            Self::Confirm | Self::ConfirmElsewhere | Self::Keep | Self::AskRecovery | Self::AskAddress => {
                sees(PASSWORD, Some("/account")).await;
            }
            Self::Recover | Self::SetUp | Self::ChangePassword => {
                sees(PASSWORD, None).await;
                sees(NEW_PASSWORD, Some("/account")).await;
            }
            Self::ProveAddress => {
                let new = format!("new-{email}");
                assert_eq!(town.sign_in(&new, PASSWORD).await.as_deref(), Some("/account"), "{self:?}");
                sees(PASSWORD, None).await;
            }
            Self::TakeBack => {
                sees(PASSWORD, None).await;
                assert!(!town.user_id(email).await.is_empty(), "the address is back");
            }
            Self::Delete => sees(PASSWORD, Some("/account/deletion")).await,
            Self::SignIn | Self::EndSession | Self::EndOthers => {
                scene.browser.get("/account").await.expect(200);
            }
            Self::SignOut => {
                let shown = scene.browser.get("/account").await.expect(303);
                assert_eq!(shown.header("location"), Some("/login?next=%2Faccount"), "{self:?}");
            }
            Self::Enter => {
                let sql = "select count(*) from identity.memberships m join identity.users u using (user_id)
                           where u.email_key = $1 and m.state = 'active'";
                let count: i64 = town.owner.query_one(sql, &[&email]).await.unwrap().get(0);
                assert_eq!(count, 1, "{self:?}: one membership");
            }
        }
    }
}

async fn register_fields(browser: &mut Browser, email: &str) -> Vec<(&'static str, String)> {
    vec![
        ("csrf", browser.token("/register").await),
        ("email", email.to_owned()),
        ("name", "Ann".to_owned()),
        ("new_password", PASSWORD.to_owned()),
    ]
}
