//! `config set` and `config unset`: one value, by the way to it.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    file::{Kubeconfig, Section},
    unexpected,
};
use crate::{
    error::{Result, usage},
    golang::base64_decoded,
    print::print,
    value::map_mut,
};

/// The fields that a value can be given to.
fn fields(section: Section) -> &'static [&'static str] {
    match section {
        Section::Clusters => &[
            "server",
            "tls-server-name",
            "insecure-skip-tls-verify",
            "certificate-authority",
            "certificate-authority-data",
            "proxy-url",
            "disable-compression",
        ],
        Section::Contexts => &["cluster", "user", "namespace"],
        Section::Users => &[
            "client-certificate",
            "client-certificate-data",
            "client-key",
            "client-key-data",
            "token",
            "tokenFile",
            "as",
            "as-uid",
            "username",
            "password",
        ],
    }
}

#[derive(clap::Args, Debug)]
pub(super) struct Set {
    /// PROPERTY VALUE
    words: Vec<String>,
    /// The value of a binary field is what it is to be, and no base64.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", action = clap::ArgAction::Set)]
    set_raw_bytes: bool,
}

/// What a property is about.
#[derive(Debug, PartialEq)]
enum Property<'a> {
    CurrentContext,
    /// A whole list.
    Section(Section),
    /// A whole entry.
    Entry(Section, &'a str),
    Field(Section, &'a str, &'a str),
}

fn parse(property: &str) -> Result<Property<'_>> {
    let wrong = |rest: &str, done: &str, kind: &str| Err(usage(format!("unable to parse {rest} after [{done}] at api.{kind}")));
    if property == "current-context" {
        return Ok(Property::CurrentContext);
    }
    let (first, rest) = property.split_once('.').unwrap_or((property, ""));
    let Some(section) = Section::ALL.into_iter().find(|section| section.plural() == first) else { return wrong(property, "", "Config") };
    if rest.is_empty() {
        return Ok(Property::Section(section));
    }
    // A name may have dots: what follows the last one is the field, if there is such a field.
    match rest.rsplit_once('.') {
        Some((name, field)) if fields(section).contains(&field) => Ok(Property::Field(section, name, field)),
        Some((name, field)) if !name.contains('.') => {
            let kind = match section {
                Section::Clusters => "Cluster",
                Section::Contexts => "Context",
                Section::Users => "AuthInfo",
            };
            wrong(field, &format!("{first} {name}"), kind)
        }
        _ => Ok(Property::Entry(section, rest)),
    }
}

impl Set {
    pub(super) fn run(&self, mut config: Kubeconfig) -> Result<()> {
        let [property, value] = self.words.as_slice() else { return Err(unexpected(&self.words)) };
        match parse(property)? {
            Property::CurrentContext => config.set_current(value),
            Property::Field(section, name, field) => {
                config.entry_mut(section, name)[field] = match field {
                    "insecure-skip-tls-verify" | "disable-compression" => match value.as_str() {
                        "true" | "True" | "TRUE" | "t" | "T" | "1" => true.into(),
                        "false" | "False" | "FALSE" | "f" | "F" | "0" => false.into(),
                        _ => return Err(usage(format!("strconv.ParseBool: parsing {value:?}: invalid syntax"))),
                    },
                    field if field.ends_with("-data") && self.set_raw_bytes => STANDARD.encode(value).into(),
                    field if field.ends_with("-data") => match base64_decoded(value) {
                        Ok(_) => value.as_str().into(),
                        Err(at) => return Err(usage(format!("error decoding input value: illegal base64 data at input byte {at}"))),
                    },
                    _ => value.as_str().into(),
                };
            }
            Property::Section(_) | Property::Entry(..) => return Err(usage(format!("can't set a value of type map: {property}"))),
        }
        config.save()?;
        print(&format!("Property {property:?} set.\n"))
    }
}

pub(super) fn unset(mut config: Kubeconfig, property: &str) -> Result<()> {
    match parse(property)? {
        Property::CurrentContext => config.set_current(""),
        Property::Section(section) => config.set_top(section.plural(), None),
        Property::Entry(section, name) => {
            config.remove(section, name);
        }
        Property::Field(section, name, field) => {
            config.entry(section, name).ok_or_else(|| usage(format!("current map key `{name}` is invalid")))?;
            map_mut(config.entry_mut(section, name)).remove(field);
        }
    }
    config.save()?;
    print(&format!("Property {property:?} unset.\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_a_value() {
        for (property, meant) in [
            ("current-context", Property::CurrentContext),
            ("users", Property::Section(Section::Users)),
            ("users.bob", Property::Entry(Section::Users, "bob")),
            ("clusters.a.b.server", Property::Field(Section::Clusters, "a.b", "server")),
            ("contexts.x.namespace", Property::Field(Section::Contexts, "x", "namespace")),
        ] {
            assert_eq!(parse(property).unwrap(), meant, "{property}");
        }
        assert_eq!(parse("foo.bar").unwrap_err().to_string(), "error: unable to parse foo.bar after [] at api.Config");
        assert_eq!(parse("users.bob.shoe").unwrap_err().to_string(), "error: unable to parse shoe after [users bob] at api.AuthInfo");
    }
}
