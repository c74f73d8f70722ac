//! What verbs that change objects have in common: flags, the parameters they become, and the sentence about what was done.

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::{
    context::Context,
    discover::Resource,
    error::Result,
    output::{Output, Templates},
    print::{notice, print},
    server::with_query,
    value::{map_mut, name},
};

/// Where the command line that changed an object is noted.
pub(crate) const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// The flags of every verb that changes objects.
#[derive(Args, Clone, Debug)]
pub(crate) struct Writing {
    /// Do not change anything; ask the server (or, with "client", only look) what would happen.
    #[arg(long, value_name = "WHERE", default_value = "none", num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    pub(crate) dry_run: DryRun,
    /// The name under which the server notes who set the fields.
    #[arg(long, value_name = "NAME")]
    pub(crate) field_manager: Option<String>,
    /// Print the objects instead of what was done to them.
    #[arg(long, short, value_name = "FORM")]
    pub(crate) output: Option<String>,
    /// Also who manages which field, in YAML and JSON.
    #[arg(long)]
    pub(crate) show_managed_fields: bool,
    #[command(flatten)]
    pub(crate) templates: Templates,
}

/// Whether anything is really done, and who plays it if not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRun {
    #[value(alias = "false")]
    None,
    #[value(alias = "true")]
    Client,
    Server,
}

impl DryRun {
    /// What is added to a sentence about something that was not really done.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Client => " (dry run)",
            Self::Server => " (server dry run)",
        }
    }

    /// The query parameter that says the same to the server.
    pub(crate) fn parameter(self) -> (&'static str, &'static str) {
        ("dryRun", if self == Self::Server { "All" } else { "" })
    }
}

/// The flag of verbs that send whole objects.
#[derive(Args, Clone, Debug)]
pub(crate) struct Validation {
    /// What to do about unknown and duplicate fields: refuse, warn, or let them pass.
    #[arg(long, value_name = "HOW", default_value = "true", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    validate: Validate,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Validate {
    #[value(alias = "strict")]
    True,
    Warn,
    #[value(alias = "ignore")]
    False,
}

impl Validation {
    /// Whether nothing is to be looked at.
    pub(crate) fn is_off(&self) -> bool {
        self.validate == Validate::False
    }

    /// The query parameter that says the same to the server.
    pub(crate) fn parameter(&self) -> (&'static str, &'static str) {
        let how = match self.validate {
            Validate::True => "Strict",
            Validate::Warn => "Warn",
            Validate::False => "Ignore",
        };
        ("fieldValidation", how)
    }
}

/// The old flag of verbs that can note in the object what the user typed.
#[derive(Args, Clone, Debug)]
pub(crate) struct Recording {
    /// Note the command line in the object, as the cause of the change (deprecated).
    #[arg(long, hide = true, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    record: Option<bool>,
}

impl Recording {
    /// Says that the flag is old, if it is there; to be called once, first of all.
    pub(crate) fn warn(&self) {
        if self.record.is_some() {
            notice("Flag --record has been deprecated, --record will be removed in the future");
        }
    }

    /// Notes the command line in the object, if that is wanted.
    pub(crate) fn note(&self, context: &Context, object: &mut Value) {
        if self.record == Some(true) {
            let metadata = map_mut(object).entry("metadata").or_insert(Value::Null);
            let annotations = map_mut(metadata).entry("annotations").or_insert(Value::Null);
            map_mut(annotations).insert(CHANGE_CAUSE.into(), context.typed().into());
        }
    }
}

impl Writing {
    /// Whether nothing is to be sent.
    pub(crate) fn stays_here(&self) -> bool {
        self.dry_run == DryRun::Client
    }

    /// The path with the parameters that these flags become, and more. `manager` is who sets the fields unless the user says otherwise.
    pub(crate) fn query(&self, path: &str, manager: &str, more: &[(&str, &str)]) -> String {
        let manager = self.field_manager.as_deref().unwrap_or(manager);
        let parameters = [&[self.dry_run.parameter(), ("fieldManager", manager)], more].concat();
        with_query(path, &parameters)
    }

    /// The same for a manager that is not the user's to choose.
    pub(crate) fn query_as(&self, path: &str, manager: &str, more: &[(&str, &str)]) -> String {
        Self { field_manager: None, ..self.clone() }.query(path, manager, more)
    }

    /// The form in which objects are printed, if not as a sentence. To be asked before anything is sent.
    ///
    /// # Errors
    /// When what follows `-o` is no form.
    pub(crate) fn form(&self) -> Result<Option<Output>> {
        self.templates.form(self.output.as_deref(), false)
    }

    /// Prints an object and what was done to it: `deployment.apps/web created`, or the object if a form is asked for.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn say(&self, resource: &Resource, object: &Value, what: &str) -> Result<()> {
        match self.form()? {
            Some(form) if self.show_managed_fields => print(&form.render(resource, object)?),
            Some(form) => print(&form.render(resource, &form.spared(object.clone()))?),
            None => print(&format!("{}/{} {what}{}\n", resource.qualified_singular(), name(object), self.dry())),
        }
    }

    /// The same for one of several that are printed one after the other, after so many others.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(crate) fn say_after(&self, others: usize, resource: &Resource, object: &Value, what: &str) -> Result<()> {
        if others > 0 && matches!(self.form()?, Some(Output::Yaml)) {
            print("---\n")?;
        }
        self.say(resource, object, what)
    }

    /// What is added to a sentence about something that was not really done.
    pub(crate) fn dry(&self) -> &'static str {
        self.dry_run.told()
    }
}
