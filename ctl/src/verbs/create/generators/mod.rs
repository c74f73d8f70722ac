//! What `create` can make of flags alone. Each kind is one file, and one word in the list below.

mod hash;
mod rules;
mod sources;
mod subjects;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use serde_json::Value;

use crate::{
    context::Context,
    error::{Error, Result, usage},
    making::{Kind, Making, placed},
    verbs::create::MANAGER,
    writing::Validation,
};

verbs! {
    clusterrole, clusterrolebinding, configmap, cronjob, deployment, ingress, job, namespace, poddisruptionbudget, priorityclass, quota,
    role, rolebinding, secret, service, serviceaccount, token,
}

/// The name and the flags that all of them take.
#[derive(Args, Debug)]
struct Generating {
    /// NAME
    #[arg(value_name = "NAME")]
    words: Vec<String>,
    #[command(flatten)]
    making: Making,
    #[command(flatten)]
    validation: Validation,
}

impl Generating {
    /// The one name, of what `word` makes.
    fn name(&self, word: &str) -> Result<&str> {
        // What is printed and how is to be known before anything is sent.
        self.making.writing.form()?;
        one_name(&self.words, word)
    }

    /// Creates what was made, and says so.
    async fn create(&self, context: &Context, kind: &Kind, object: Value) -> Result<()> {
        let object = if kind.namespaced { placed(context, object) } else { object };
        // What is only printed shows the annotation, too.
        let object = if self.making.writing.stays_here() { self.making.saved(object) } else { object };
        let made = self.making.send(context, kind, object, MANAGER, &[self.validation.parameter()]).await?;
        self.making.say(&kind.resource(), &made, "created")
    }
}

fn one_name<'a>(words: &'a [String], word: &str) -> Result<&'a str> {
    match words {
        [name] => Ok(name),
        words => Err(see(&format!("exactly one NAME is required, got {}", words.len()), word)),
    }
}

/// A complaint about the command line that points at the help of a generator.
fn see(complaint: &str, word: &str) -> Error {
    usage(format!("{complaint}\nSee 'mini-ctl create {word} -h' for help and examples"))
}

/// A flag that cannot be left out.
fn required<'a>(value: Option<&'a String>, flag: &str) -> Result<&'a str> {
    value.map(String::as_str).ok_or_else(|| usage(format!("required flag(s) {flag:?} not set")))
}
