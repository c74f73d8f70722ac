//! Headless Chromium, spoken to over two pipes in its `DevTools` protocol. It ends when they close: with the test, however that ends.

use std::{path::Path, process::Stdio};

use base64::{Engine, engine::general_purpose::STANDARD};
use mini_tests::{PATIENCE, wait_for};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Mutex,
    time::timeout,
};

/// A browser with one page.
pub(super) struct Browser {
    pipes: Mutex<Pipes>,
    _chromium: Child,
    _profile: TempDir,
}

struct Pipes {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// Its name for the page.
    session: Option<String>,
    asked: u64,
    /// What the page has complained about.
    complaints: Vec<Value>,
}

/// It is to be quiet, and to ask nothing of the world.
const FLAGS: &str = "--headless --no-sandbox --disable-gpu --disable-quic --disable-dev-shm-usage --no-first-run --disable-background-networking \
                     --disable-component-update --disable-sync --disable-extensions --hide-scrollbars --remote-debugging-pipe about:blank";

impl Browser {
    /// Starts it with a window of this size; `None` where there is no Chromium.
    pub(super) async fn open(width: u32, height: u32) -> Option<Self> {
        let found = Command::new("chromium").arg("--version").output().await;
        if !found.is_ok_and(|version| version.status.success()) {
            return None;
        }
        let profile = tempfile::tempdir().expect("make a folder");
        // It reads from the third file and writes to the fourth.
        let start =
            format!("exec chromium {FLAGS} --window-size={width},{height} --user-data-dir=\"$0\" 3<&0 4>&1 </dev/null >/dev/null 2>&1");
        let mut chromium = Command::new("bash")
            .args(["-c", &start])
            .arg(profile.path())
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("start Chromium");
        let (input, output) = (chromium.stdin.take().expect("a pipe"), BufReader::new(chromium.stdout.take().expect("a pipe")));
        let pipes = Mutex::new(Pipes { input, output, session: None, asked: 0, complaints: Vec::new() });
        let browser = Self { pipes, _chromium: chromium, _profile: profile };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" })).await;
        let session = browser.call("Target.attachToTarget", &json!({ "targetId": target["targetId"], "flatten": true })).await;
        browser.pipes.lock().await.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({})).await;
        }
        Some(browser)
    }

    /// Has it do one thing.
    ///
    /// # Panics
    /// When it cannot, or does not answer.
    async fn call(&self, method: &str, params: &Value) -> Value {
        let mut pipes = self.pipes.lock().await;
        let answer = timeout(PATIENCE, pipes.call(method, params)).await;
        answer.unwrap_or_else(|_| panic!("Chromium does not answer {method} {params}"))
    }

    /// Shows the page at this address.
    pub(super) async fn visit(&self, address: &str) {
        let shown = self.call("Page.navigate", &json!({ "url": address })).await;
        assert_eq!(shown["errorText"], Value::Null, "{shown}");
        wait_for("the page to be there", || async {
            let state = self.evaluate("`${document.readyState} ${location}`").await;
            if state == format!("complete {address}") { Ok(()) } else { Err(state) }
        })
        .await;
    }

    /// What this script comes to in the page.
    pub(super) async fn evaluate(&self, script: &str) -> Value {
        let answer = self.call("Runtime.evaluate", &json!({ "expression": script, "returnByValue": true, "awaitPromise": true })).await;
        assert_eq!(answer["exceptionDetails"], Value::Null, "{answer}");
        answer["result"]["value"].clone()
    }

    /// Clicks with the mouse on what this selector finds.
    pub(super) async fn click(&self, selector: &str) {
        let middle = format!(
            "(() => {{ const found = document.querySelector({selector:?}); found.scrollIntoView({{ block: 'center' }}); \
             const box = found.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }})()"
        );
        let middle = self.evaluate(&middle).await;
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": middle[0], "y": middle[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", &event).await;
        }
    }

    /// What it looks like now, kept as a picture.
    pub(super) async fn picture(&self, file: &Path) {
        let answer = self.call("Page.captureScreenshot", &json!({})).await;
        let png = STANDARD.decode(answer["data"].as_str().expect("a picture")).expect("base64");
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("make the folder of the pictures");
        std::fs::write(file, png).expect("keep the picture");
    }

    /// What has gone wrong in the page so far, in its own words.
    pub(super) async fn complaints(&self) -> Vec<Value> {
        self.pipes.lock().await.complaints.clone()
    }
}

impl Pipes {
    async fn call(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let mut message = json!({ "id": self.asked, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        self.input.write_all(format!("{message}\0").as_bytes()).await.expect("it listens");
        loop {
            let mut heard = self.hear().await;
            if heard["id"] == self.asked {
                assert_eq!(heard["error"], Value::Null, "{message}");
                return heard["result"].take();
            }
        }
    }

    /// Its next message. Complaints are kept.
    async fn hear(&mut self) -> Value {
        let mut bytes = Vec::new();
        self.output.read_until(0, &mut bytes).await.expect("it speaks");
        assert_eq!(bytes.pop(), Some(0), "Chromium has ended");
        let heard: Value = serde_json::from_slice(&bytes).expect("JSON");
        let params = &heard["params"];
        let bad = match heard["method"].as_str() {
            Some("Runtime.exceptionThrown") => true,
            Some("Runtime.consoleAPICalled") => ["warning", "error"].contains(&params["type"].as_str().unwrap_or_default()),
            Some("Log.entryAdded") => ["warning", "error"].contains(&params["entry"]["level"].as_str().unwrap_or_default()),
            _ => false,
        };
        self.complaints.extend(bad.then(|| params.clone()));
        heard
    }
}
