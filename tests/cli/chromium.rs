//! A real browser, driven by its DevTools protocol over two pipes: messages are JSON, each ended by a zero byte.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

const MISSING: &str = "the tests need Chromium: scripts/install-test-tools installs it";
/// Nothing that would talk to the world, and a profile of its own. As root, Chromium refuses its sandbox.
const FLAGS: [&str; 13] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--remote-debugging-pipe",
];

/// A headless Chromium. Dropping it ends it.
pub struct Browser {
    child: Child,
    orders: RefCell<ChildStdin>,
    answers: RefCell<BufReader<ChildStdout>>,
    /// Events that came while an answer was waited for.
    events: RefCell<VecDeque<Value>>,
    next: Cell<u64>,
    _profile: TempDir,
}

/// One tab.
pub struct Tab<'a> {
    browser: &'a Browser,
    session: String,
}

impl Browser {
    /// It reads orders from its descriptor 3 and answers on 4; a shell puts the pipes there.
    pub fn start() -> Browser {
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "exec chromium \"$@\" 3<&0 4>&1 </dev/null >/dev/null", "chromium"]).args(FLAGS);
        command.arg(format!("--user-data-dir={}", profile.path().display()));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let orders = RefCell::new(child.stdin.take().unwrap());
        let answers = RefCell::new(BufReader::new(child.stdout.take().unwrap()));
        Browser { child, orders, answers, events: RefCell::default(), next: Cell::new(1), _profile: profile }
    }

    pub fn tab(&self) -> Tab<'_> {
        let target = self.ask(None, "Target.createTarget", json!({ "url": "about:blank" }));
        let attached =
            self.ask(None, "Target.attachToTarget", json!({ "targetId": target["targetId"], "flatten": true }));
        let tab = Tab { browser: self, session: attached["sessionId"].as_str().unwrap().to_owned() };
        self.ask(Some(&tab.session), "Page.enable", json!({}));
        tab
    }

    fn send(&self, session: Option<&str>, method: &str, parameters: Value) -> u64 {
        let id = self.next.replace(self.next.get() + 1);
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut orders = self.orders.borrow_mut();
        orders.write_all(format!("{message}\0").as_bytes()).expect(MISSING);
        id
    }

    fn receive(&self) -> Value {
        let mut message = Vec::new();
        self.answers.borrow_mut().read_until(0, &mut message).unwrap();
        assert_eq!(message.pop(), Some(0), "the browser ended: {MISSING}");
        serde_json::from_slice(&message).unwrap()
    }

    fn ask(&self, session: Option<&str>, method: &str, parameters: Value) -> Value {
        let id = self.send(session, method, parameters);
        loop {
            let mut message = self.receive();
            if message["id"] == id {
                assert!(message["error"].is_null(), "{method}: {message}");
                return message["result"].take();
            }
            self.events.borrow_mut().push_back(message);
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // One that has ended takes no orders, and a panic in here would end all other tests.
        let close = json!({ "id": 0, "method": "Browser.close" });
        let _ = write!(self.orders.borrow_mut(), "{close}\0");
        let _ = self.child.wait();
    }
}

impl Tab<'_> {
    /// Begins to load a page; [`Tab::wait`] waits for it.
    pub fn open(&self, address: &str) {
        self.browser.send(Some(&self.session), "Page.navigate", json!({ "url": address }));
    }

    /// Whether a page has been loaded since this was last asked, as far as the browser has said.
    pub fn has_loaded(&self) -> bool {
        let mut events = self.browser.events.borrow_mut();
        let loaded = |event: &Value| event["method"] == "Page.loadEventFired" && event["sessionId"] == *self.session;
        let found = events.iter().position(loaded);
        found.map(|index| events.remove(index)).is_some()
    }

    /// Waits until the page that was opened is loaded.
    pub fn wait(&self) {
        while !self.has_loaded() {
            let event = self.browser.receive();
            self.browser.events.borrow_mut().push_back(event);
        }
    }

    /// What a person reads on the page.
    pub fn text(&self) -> String {
        let expression = json!({ "expression": "document.body.innerText" });
        let value = self.browser.ask(Some(&self.session), "Runtime.evaluate", expression);
        value["result"]["value"].as_str().unwrap_or_default().to_owned()
    }
    /// From now on what the page complains of is kept: [`Tab::complaints`].
    pub fn listen(&self) {
        for domain in ["Runtime.enable", "Log.enable"] {
            self.browser.ask(Some(&self.session), domain, json!({}));
        }
    }

    /// What a script on the page comes to; a promise is waited for.
    pub fn evaluate(&self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut came = self.browser.ask(Some(&self.session), "Runtime.evaluate", asked);
        assert!(came["exceptionDetails"].is_null(), "{expression}: {came}");
        came["result"]["value"].take()
    }

    /// Moves the pointer onto the middle of an element.
    pub fn point_at(&self, selector: &str) {
        let place = format!(
            "(() => {{ const element = document.querySelector({selector:?}); element.scrollIntoView({{ block: 'center' }}); \
             const box = element.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        );
        let place = self.evaluate(&place);
        let moved = json!({ "type": "mouseMoved", "x": place[0], "y": place[1] });
        self.browser.ask(Some(&self.session), "Input.dispatchMouseEvent", moved);
    }

    /// Presses a key, by its name in the DOM.
    pub fn press(&self, key: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let event = json!({ "type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code });
            self.browser.ask(Some(&self.session), "Input.dispatchKeyEvent", event);
        }
    }

    /// The page as wide and as high, and dark or light.
    pub fn look(&self, (width, height): (u32, u32), dark: bool) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.browser.ask(Some(&self.session), "Emulation.setDeviceMetricsOverride", size);
        let scheme = json!([{ "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } }]);
        self.browser.ask(Some(&self.session), "Emulation.setEmulatedMedia", json!({ "features": scheme }));
    }

    /// Errors on the console, exceptions, and what the browser refused to load.
    pub fn complaints(&self) -> Vec<String> {
        // Whatever came before this answer is an event by now.
        self.evaluate("0");
        let events = self.browser.events.borrow();
        let own = events.iter().filter(|event| event["sessionId"] == *self.session);
        let is_bad = |event: &&Value| match event["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => event["params"]["type"] == "error",
            Some("Log.entryAdded") => event["params"]["entry"]["level"] == "error",
            _ => false,
        };
        own.filter(is_bad).map(|event| event["params"].to_string()).collect()
    }
}
