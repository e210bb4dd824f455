//! A page as a person has it: it is read by roles and names, as a screen reader does, and worked by mouse and keys.
//!
//! A field is found by its label and a button by its words, in the tree that assistive technology gets, so a walk that
//! succeeds also says that labels belong to their fields. Clicks and keys are the browser's own input events. Of
//! the page's scripts nothing is assumed: with [`Tab::without_scripts`] none may run.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Value, json};

use super::chromium::{Chromium, Pipe};

/// One tab of a browser that knows nothing yet: no cookie, no cache.
pub struct Tab {
    pipe: Rc<Pipe>,
    session: String,
    frame: String,
    seen: RefCell<Vec<Value>>,
}

/// Something on the page that can be pointed at.
#[derive(Clone, Debug)]
pub struct Element {
    pub name: String,
    node: i64,
}

impl Tab {
    pub fn open(chromium: &Chromium) -> Self {
        let pipe = chromium.pipe.clone();
        let context = pipe.call("", "Target.createBrowserContext", &json!({ "disposeOnDetach": true }));
        let parameters = json!({ "url": "about:blank", "browserContextId": context["browserContextId"] });
        let target = pipe.call("", "Target.createTarget", &parameters);
        let attached =
            pipe.call("", "Target.attachToTarget", &json!({ "targetId": target["targetId"], "flatten": true }));
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (session, frame) = (text(&attached["sessionId"]), text(&target["targetId"]));
        let tab = Self { pipe, session, frame, seen: RefCell::default() };
        for domain in ["Page", "Network", "Runtime", "Log", "DOM"] {
            tab.call(&format!("{domain}.enable"), json!({}));
        }
        tab
    }

    /// A tab in which no script of a page may run.
    pub fn without_scripts(chromium: &Chromium) -> Self {
        let tab = Self::open(chromium);
        tab.call("Emulation.setScriptExecutionDisabled", json!({ "value": true }));
        tab
    }

    pub fn call(&self, method: &str, parameters: Value) -> Value {
        self.pipe.call(&self.session, method, &parameters)
    }

    // --- going -------------------------------------------------------------------------------------------------

    pub fn go(&self, url: &str) {
        self.load(url, || {
            let gone = self.call("Page.navigate", json!({ "url": url }));
            assert!(gone["errorText"].is_null(), "{url}: {}", gone["errorText"]);
        });
    }

    /// Presses the button, and waits for the page that comes of it.
    pub fn press(&self, name: &str) {
        self.load(name, || self.click(&self.find("button", name)));
    }

    pub fn follow(&self, name: &str) {
        self.load(name, || self.click(&self.find("link", name)));
    }

    /// Does something that loads another page, and waits until that is loaded.
    pub fn load(&self, what: &str, act: impl FnOnce()) {
        let awaited = format!("a page after {what:?}, from {}", self.url());
        self.note();
        act();
        self.pipe.wait_for(&awaited, |event| event["method"] == "Page.loadEventFired" && self.is_ours(event));
    }

    // --- reading -----------------------------------------------------------------------------------------------

    pub fn url(&self) -> String {
        self.call("Page.getFrameTree", json!({}))["frameTree"]["frame"]["url"].as_str().unwrap().to_owned()
    }

    /// The document as it is.
    pub fn html(&self) -> String {
        let outer = self.call("DOM.getOuterHTML", json!({ "nodeId": self.root() }));
        outer["outerHTML"].as_str().unwrap().to_owned()
    }

    /// The one heading of the first level.
    pub fn heading(&self) -> String {
        let is_first = |node: &Value| properties(node).any(|property| property == ("level", json!(1)));
        let found: Vec<Value> = self.query("heading").into_iter().filter(is_first).collect();
        assert_eq!(found.len(), 1, "headings of the first level on {}", self.url());
        name(&found[0])
    }

    /// Whether the text is on the page.
    pub fn shows(&self, text: &str) -> bool {
        self.html().contains(text)
    }

    #[track_caller]
    pub fn find(&self, role: &str, name: &str) -> Element {
        let all = self.find_all(role);
        let mut found: Vec<&Element> = all.iter().filter(|element| element.name == name).collect();
        assert_eq!(found.len(), 1, "{role} {name:?} on {}, of {all:?}", self.url());
        found.remove(0).clone()
    }

    /// Everything of a role that a person can find.
    pub fn find_all(&self, role: &str) -> Vec<Element> {
        let element = |node: &Value| Element { name: name(node), node: node["backendDOMNodeId"].as_i64().unwrap() };
        self.query(role).iter().map(element).collect()
    }

    /// Role and name of what has the focus.
    pub fn focused(&self) -> (String, String) {
        let tree = self.call("Accessibility.getFullAXTree", json!({}));
        let is_focused = |node: &&Value| {
            node["role"]["value"] != "RootWebArea"
                && properties(node).any(|property| property == ("focused", json!(true)))
        };
        let focused = tree["nodes"].as_array().unwrap().iter().find(is_focused).cloned().unwrap_or_default();
        (focused["role"]["value"].as_str().unwrap_or_default().to_owned(), name(&focused))
    }

    fn query(&self, role: &str) -> Vec<Value> {
        let found = self.call("Accessibility.queryAXTree", json!({ "nodeId": self.root(), "role": role }));
        let nodes = found["nodes"].as_array().cloned().unwrap_or_default();
        nodes.into_iter().filter(|node| node["ignored"] == false).collect()
    }

    fn root(&self) -> Value {
        self.call("DOM.getDocument", json!({ "depth": 0 }))["root"]["nodeId"].clone()
    }

    // --- hands -------------------------------------------------------------------------------------------------

    pub fn click(&self, element: &Element) {
        self.call("DOM.scrollIntoViewIfNeeded", json!({ "backendNodeId": element.node }));
        let quads = self.call("DOM.getContentQuads", json!({ "backendNodeId": element.node }));
        let corner = |at: usize| quads["quads"][0][at].as_f64().unwrap();
        let (x, y) = (f64::midpoint(corner(0), corner(4)), f64::midpoint(corner(1), corner(5)));
        for (kind, button) in [("mouseMoved", "none"), ("mousePressed", "left"), ("mouseReleased", "left")] {
            let parameters = json!({ "type": kind, "x": x, "y": y, "button": button, "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", parameters);
        }
    }

    /// Puts the text in place of what the field holds.
    pub fn fill(&self, label: &str, text: &str) {
        self.click(&self.find("textbox", label));
        self.key_with("a", 65, &json!({ "modifiers": 2, "commands": ["selectAll"] }));
        self.write(text);
    }

    /// Types into what has the focus.
    pub fn write(&self, text: &str) {
        self.call("Input.insertText", json!({ "text": text }));
    }

    /// Presses `Tab` or `Enter`.
    pub fn key(&self, key: &str) {
        match key {
            "Enter" => self.key_with(key, 13, &json!({ "text": "\r" })),
            _ => self.key_with(key, 9, &json!({})),
        }
    }

    fn key_with(&self, key: &str, code: u32, more: &Value) {
        let down = if more["text"].is_string() { "keyDown" } else { "rawKeyDown" };
        for kind in [down, "keyUp"] {
            let mut parameters = json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code });
            if kind == down {
                parameters.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            }
            self.call("Input.dispatchKeyEvent", parameters);
        }
    }

    // --- looking behind it ---------------------------------------------------------------------------------------

    /// Evaluates an expression beside the page, in a world of its own that the page's policy does not reach.
    pub fn evaluate(&self, expression: &str) -> Value {
        let world = json!({ "frameId": self.frame, "worldName": "tests" });
        let world = self.call("Page.createIsolatedWorld", world)["executionContextId"].clone();
        let parameters = json!({
            "expression": expression, "contextId": world, "returnByValue": true, "awaitPromise": true
        });
        let mut answer = self.call("Runtime.evaluate", parameters);
        assert!(answer["exceptionDetails"].is_null(), "{}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    /// Everything that happened since the tab was opened, or since it was forgotten.
    pub fn events(&self) -> Vec<Value> {
        self.note();
        self.seen.borrow().clone()
    }

    pub fn forget(&self) {
        self.note();
        self.seen.borrow_mut().clear();
    }

    /// Waits until this page has asked for nothing during half a second.
    pub fn rest(&self) {
        let loader = self.call("Page.getFrameTree", json!({}))["frameTree"]["frame"]["loaderId"].clone();
        // What has happened is told again.
        self.call("Page.setLifecycleEventsEnabled", json!({ "enabled": true }));
        let is_idle = |event: &Value| {
            event["params"]["name"] == "networkIdle" && event["params"]["loaderId"] == loader && self.is_ours(event)
        };
        self.pipe.wait_for("a network at rest", is_idle);
    }

    /// Waits until the browser complains of this.
    pub fn hear(&self, word: &str) {
        let is_it = |event: &Value| {
            let text = event["params"]["entry"]["text"].as_str().unwrap_or_default();
            event["method"] == "Log.entryAdded" && text.contains(word) && self.is_ours(event)
        };
        self.pipe.wait_for(&format!("a complaint of {word}"), is_it);
    }

    fn is_ours(&self, event: &Value) -> bool {
        event["sessionId"] == *self.session
    }

    fn note(&self) {
        self.seen.borrow_mut().extend(self.pipe.take(&self.session));
    }
}

fn name(node: &Value) -> String {
    node["name"]["value"].as_str().unwrap_or_default().to_owned()
}

fn properties(node: &Value) -> impl Iterator<Item = (&str, Value)> {
    let all = node["properties"].as_array().into_iter().flatten();
    all.map(|property| (property["name"].as_str().unwrap_or_default(), property["value"]["value"].clone()))
}
