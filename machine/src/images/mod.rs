//! The image catalogue: what is in an image, what it runs, and the programs that only images have.
//!
//! An entry is one file and one word in the list below: it looks at a reference and says what the image is, if it knows it. The first that
//! does wins; an image that nobody knows has a userland like busybox's and a program that runs until it is stopped. Must not know who
//! pulls images, and that there are pods.

pub(crate) mod programs;
mod reference;
mod userland;
mod web;

use std::sync::Arc;

pub use self::{reference::Reference, userland::devices};
use crate::{
    Signal,
    applets::APPLETS,
    files,
    kernel::{Program, Programs},
    shell::SHELL,
};

/// What is in an image and how it is run.
#[derive(Clone)]
pub struct Image {
    /// Its files.
    pub files: Arc<files::Image>,
    /// What is run, before the arguments.
    pub entrypoint: Vec<String>,
    /// The arguments, if nobody gives others.
    pub cmd: Vec<String>,
    /// Its environment, besides `PATH`.
    pub env: Vec<(String, String)>,
    /// Where it begins.
    pub cwd: String,
    /// As whom; a name or number, with a group behind `:`. Nothing is root.
    pub user: Option<String>,
    /// What asks it to stop.
    pub stop_signal: Signal,
    /// The ports that it says it listens on.
    pub ports: Vec<u16>,
    /// How large it is to be pulled.
    pub size: u64,
    /// What it runs by itself only waits to be asked, and ends with this code when it is to stop: so it need not run before
    /// anybody asks. Nothing if it does something of its own accord.
    pub rests: Option<i32>,
}

impl Image {
    /// An image that runs this, with these files, and is root in `/`.
    fn new(files: Arc<files::Image>, entrypoint: &[&str], cmd: &[&str]) -> Self {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            files,
            entrypoint: words(entrypoint),
            cmd: words(cmd),
            env: Vec::new(),
            cwd: "/".to_owned(),
            user: None,
            stop_signal: Signal::TERM,
            ports: Vec::new(),
            size: 2 << 20,
            rests: None,
        }
    }

    /// The same, with variables.
    fn with_env(mut self, env: &[(&str, &str)]) -> Self {
        self.env.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    /// The same, with the ports that it tells.
    fn exposing(mut self, ports: &[u16]) -> Self {
        self.ports.extend(ports);
        self
    }

    /// The same, as large as this.
    fn sized(mut self, size: u64) -> Self {
        self.size = size;
        self
    }

    /// The same; its own command only waits to be asked.
    fn resting(mut self, code: i32) -> Self {
        self.rests = Some(code);
        self
    }
}

/// Declares the module of each entry and the list of them: one word does both.
macro_rules! images {
    ($($module:ident),+ $(,)?) => {
        $(mod $module;)+

        /// What each entry makes of a reference.
        const CATALOGUE: &[fn(&Reference) -> Option<Image>] = &[$($module::image),+];
        /// The programs of each entry.
        const OWN: &[&[(&str, Program)]] = &[$($module::PROGRAMS),+];
    };
}

images! {
    busybox,
    nginx,
    httpd,
    myapp,
    pause,
    agnhost,
    exporter,
    languages,
    mysql,
    redis,
    samples,
    tomcat,
    unknown,
}

/// What is in an image.
#[must_use]
pub fn find(reference: &str) -> Image {
    let reference = Reference::parse(reference);
    // The last entry knows every image.
    CATALOGUE.iter().find_map(|entry| entry(&reference)).unwrap_or_else(|| unknown::any(&reference))
}

/// The programs that the files of images may name.
#[must_use]
pub fn programs() -> Programs {
    let all = APPLETS.iter().copied().chain([SHELL, programs::PROGRAMS]).chain(OWN.iter().copied());
    all.fold(Programs::default(), |programs, some| programs.with(some))
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod contents {
    use super::*;

    #[test]
    fn every_image_runs_something_that_is_there() {
        for reference in [
            "busybox",
            "busybox:1.28",
            "alpine",
            "radial/busyboxplus:curl",
            "busyboxplus",
            "nginx",
            "nginx:1.7.9",
            "httpd:2.2.31",
            "myapp:v1",
            "wangyanglinux/myapp:v2",
            "registry.k8s.io/pause:3.9",
            "example.com/team/thing:7",
            "redis:5",
            "mysql:5.7",
            "perl:5.34",
            "python:3",
            "registry.k8s.io/e2e-test-images/agnhost:2.40",
            "k8s.gcr.io/liveness",
            "gcr.io/google-samples/hello-app:1.0",
            "k8s.gcr.io/echoserver:1.4",
            "hashicorp/http-echo",
            "prom/node-exporter",
            "curlimages/curl",
            "tomcat:9",
            "polinux/stress",
            "vish/stress",
            "debian",
            "ubuntu:22.04",
            "centos:7",
        ] {
            let image = find(reference);
            let program = image.entrypoint.first().or(image.cmd.first()).unwrap_or_else(|| panic!("{reference} runs nothing"));
            let tree = files::Tree::new(
                image.files.clone(),
                files::Space { bytes: 1 << 20, inodes: 100 },
                Arc::new(|| jiff::Timestamp::UNIX_EPOCH),
            );
            let there = ["", "/bin/", "/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/apache2/bin/", "/usr/local/tomcat/bin/"];
            let found = there.iter().any(|before| tree.files().stat(&format!("{before}{program}")).is_ok());
            assert!(found, "{reference} has no {program}");
        }
    }
}
