//! What a row of the table can say: [`Kind`] and the words that build one.

use jiff::Timestamp;
use k8s_openapi::{NamespaceResourceScope, Resource, apimachinery::pkg::apis::meta::v1::Time};
use serde_json::Value;

use super::{
    nulls::Nulls,
    rules::{Behaviour, Object, Rules, Type},
    subresource::{Moment, Subresource},
};
use crate::{components::Checkup, error::ApiError, schema::Schema, stats::Summary};

/// The verbs of an ordinary resource, in the order discovery lists them.
const VERBS: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// Answers a question: fills in the status of an object that is not stored.
pub type Compute = fn(&mut dyn Object, &Moment<'_>) -> Result<(), ApiError>;

/// How the objects of a kind come about that is observed and not stored.
#[derive(Clone, Copy)]
pub struct Observed {
    /// Who is looked at.
    pub sight: Sight,
    /// What is said of a namespace and name that nothing has.
    pub absent: fn(&str, &str) -> ApiError,
}

/// Who is looked at to make objects that are not stored.
#[derive(Clone, Copy)]
pub enum Sight {
    /// The components: what there is to see when they are like this, in the order of lists.
    Components(fn(&[Checkup]) -> Vec<Box<dyn Object>>),
    /// Nodes: what their kubelets count of stored objects.
    Kubelets(Survey),
}

/// What kubelets are asked about.
#[derive(Clone, Copy)]
pub struct Survey {
    /// The resource, of the core group, whose objects are counted. What is made of one has its name, namespace and labels.
    pub of: &'static str,
    /// The node on which one is.
    pub node: fn(&dyn Object) -> Option<&str>,
    /// What its node's kubelet says of one, if it says anything.
    pub tell: Tell,
}

/// What a kubelet says of an object at a moment.
pub(super) type Tell = fn(&dyn Object, &Summary, Timestamp) -> Option<Box<dyn Object>>;

/// One row of the table.
pub struct Kind {
    /// The kind, such as `Deployment`.
    pub name: &'static str,
    /// The kind of its lists, such as `DeploymentList`.
    pub list: &'static str,
    /// The resource, such as `deployments`.
    pub plural: &'static str,
    /// Such as `deployment`.
    pub singular: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
    /// Such as `deploy`.
    pub short: &'static [&'static str],
    /// Such as `all`.
    pub categories: &'static [&'static str],
    /// What can be asked of it.
    pub verbs: &'static [&'static str],
    /// Whether `status` is a subresource, written apart from the rest.
    pub status: bool,
    /// Whether a new object keeps the status it comes with, because whoever creates it also observes it.
    pub status_on_create: bool,
    /// Whether `metadata.generation` counts the changes of its spec.
    pub generation: bool,
    /// Whether a deletion answers with the object instead of a Status.
    pub returns_deleted: bool,
    /// For a kind that is a question: what answers it. Its objects are never stored, so they can only be created.
    pub computed: Option<Compute>,
    /// For a kind that shows how things are: what sees them. Its objects are never stored, so they can only be read.
    pub observed: Option<Observed>,
    /// Whether it belongs to a group that is an addition: served only where an APIService says that it is.
    pub aggregated: bool,
    /// For a kind that is only ever the body of a subresource: that resource and subresource, to which a POST goes on.
    pub body_of: Option<(&'static str, &'static str)>,
    /// What cannot be done with it yet: writes answer 501 and say so.
    pub later: Option<&'static str>,
    /// Its further subresources.
    pub subresources: &'static [Subresource],
    /// Where its `scale` subresource finds things, if it has one.
    pub scale: Option<Scale>,
    /// Which fields can be selected by, besides `metadata.name` and `metadata.namespace`.
    pub fields: &'static [Field],
    /// Which fields are null where nothing is in them.
    pub nulls: Nulls,
    /// Whether PUT on a missing name creates it.
    pub create_on_update: bool,
    /// What is wrong with a name.
    pub names: fn(&str) -> Vec<String>,
    /// The group-versions it is served under. The first is the one it is stored in.
    pub versions: Vec<Version>,
    /// What is special about it.
    pub behaviour: Box<dyn Behaviour>,
}

/// A group-version under which a kind is served.
pub struct Version {
    /// The group, empty for core.
    pub group: &'static str,
    /// Such as `v1beta1`.
    pub version: &'static str,
    /// `group/version`, or `v1` for core.
    pub api_version: String,
    /// How it differs from the stored version.
    pub conversion: Conversion,
    /// The graph of its type.
    pub schema: fn() -> Schema,
    /// The JSON schema of its type.
    pub json_schema: fn() -> schemars::Schema,
}

/// How a version that is not the stored one is read and written.
#[derive(Clone, Copy)]
pub struct Conversion {
    /// Turns an object of this version into the stored one and adds the defaults this version had.
    pub upgrade: fn(&mut Value),
    /// Turns a stored object into this version.
    pub downgrade: fn(&mut Value),
    /// For a version that upstream no longer has or advises against: the text of the `Warning` header.
    pub warning: Option<&'static str>,
    /// Fields of the spec that it does not require, though its type does.
    pub optional: &'static [&'static str],
    /// Whether discovery shows it. Versions that upstream has removed are served but not shown where that would change what
    /// clients prefer.
    pub shown: bool,
}

impl Conversion {
    /// The stored version itself.
    pub const NONE: Self = Self { upgrade: |_| {}, downgrade: |_| {}, warning: None, optional: &[], shown: true };
}

/// Where a kind's `scale` subresource finds its numbers, as JSON pointers.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// The wanted number, such as `/spec/replicas`.
    pub replicas: &'static str,
    /// The observed number, such as `/status/replicas`.
    pub observed: &'static str,
    /// The selector: a LabelSelector or a map of labels.
    pub selector: &'static str,
}

/// A field that lists and watches can select by.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As the client writes it, such as `spec.nodeName`.
    pub label: &'static str,
    /// Where the value is, as JSON pointer. Of several the first that is there counts.
    pub pointers: &'static [&'static str],
    /// What an absent value counts as.
    pub absent: &'static str,
    /// Whether watches are indexed by it, because many watchers each want one value.
    pub indexed: bool,
}

/// A selectable field whose absence counts as empty.
#[must_use]
pub const fn field(label: &'static str, pointers: &'static [&'static str]) -> Field {
    Field { label, pointers, absent: "", indexed: false }
}

impl Kind {
    /// The group it is stored in.
    #[must_use]
    pub fn group(&self) -> &'static str {
        self.versions[0].group
    }

    /// `deployments.apps`, or `pods` for core: how errors name the resource.
    #[must_use]
    pub fn qualified(&self) -> String {
        qualify(self.plural, self.group())
    }

    /// `Deployment.apps`, or `Pod` for core: how errors name the kind.
    #[must_use]
    pub fn qualified_kind(&self) -> String {
        qualify(self.name, self.group())
    }

    /// The start of the store's keys of this kind: `/registry/apps/deployments/`.
    #[must_use]
    pub fn prefix(&self) -> String {
        let group = if self.group().is_empty() { "core" } else { self.group() };
        format!("/registry/{group}/{}/", self.plural)
    }

    pub(super) fn short(mut self, names: &'static [&'static str]) -> Self {
        self.short = names;
        self
    }
    pub(super) fn in_all(mut self) -> Self {
        self.categories = &["all"];
        self
    }
    pub(super) fn status_on_create(mut self) -> Self {
        self.status_on_create = true;
        self
    }
    pub(super) fn in_extensions(mut self) -> Self {
        self.categories = &["api-extensions"];
        self
    }
    pub(super) fn generation(mut self) -> Self {
        self.generation = true;
        self
    }
    pub(super) fn returns_deleted(mut self) -> Self {
        self.returns_deleted = true;
        self
    }
    pub(super) fn later(mut self, what: &'static str) -> Self {
        self.later = Some(what);
        self
    }
    pub(super) fn deprecated(mut self, warning: &'static str) -> Self {
        self.versions[0].conversion.warning = Some(warning);
        self
    }
    fn computed(mut self, compute: Compute) -> Self {
        self.computed = Some(compute);
        self
    }
    pub(super) fn subresources(mut self, list: &'static [Subresource]) -> Self {
        self.subresources = list;
        self
    }
    pub(super) fn scale(mut self, scale: Scale) -> Self {
        self.scale = Some(scale);
        self
    }
    pub(super) fn fields(mut self, fields: &'static [Field]) -> Self {
        self.fields = fields;
        self
    }
    pub(super) fn nulls(mut self, of: &'static str, fields: &'static [&'static str]) -> Self {
        self.nulls = Nulls { of, fields };
        self
    }
    pub(super) fn aggregated(mut self) -> Self {
        self.aggregated = true;
        self
    }
    pub(super) fn create_on_update(mut self) -> Self {
        self.create_on_update = true;
        self
    }
    pub(super) fn names(mut self, rule: fn(&str) -> Vec<String>) -> Self {
        self.names = rule;
        self
    }
    pub(super) fn only_verbs(mut self, verbs: &'static [&'static str]) -> Self {
        self.verbs = verbs;
        self
    }
    pub(super) fn also<K: Type>(mut self, group: &'static str, version: &'static str, conversion: Conversion) -> Self {
        self.versions.push(served::<K>(group, version, conversion));
        self
    }
    pub(super) fn rules<K: Type>(mut self, rules: Rules<K>) -> Self {
        self.behaviour = Box::new(rules);
        self.status = self.behaviour.has_part("status");
        self
    }
}

/// A row for `K`: group, version, plural and scope come from its type.
pub(super) fn kind<K: Type + k8s_openapi::ListableResource>() -> Kind {
    Kind { list: K::LIST_KIND, ..unlisted::<K>() }
}

/// A row for a kind that is a question.
pub(super) fn computed<K: Type>(compute: Compute) -> Kind {
    unlisted::<K>().only_verbs(&["create"]).computed(compute)
}

/// A row for a kind that shows how things are.
pub(super) fn observed<K: Type + k8s_openapi::ListableResource>(observed: Observed) -> Kind {
    Kind { observed: Some(observed), ..kind::<K>().only_verbs(&["get", "list"]) }
}

/// A row for a kind that is only ever the body of a subresource.
pub(super) fn body_of<K: Type>(plural: &'static str, subresource: &'static str) -> Kind {
    Kind { body_of: Some((plural, subresource)), ..unlisted::<K>().only_verbs(&["create"]) }
}

fn unlisted<K: Type>() -> Kind {
    Kind {
        name: K::KIND,
        list: "",
        plural: K::URL_PATH_SEGMENT,
        singular: K::KIND.to_lowercase(),
        namespaced: std::any::TypeId::of::<K::Scope>() == std::any::TypeId::of::<NamespaceResourceScope>(),
        short: &[],
        categories: &[],
        verbs: VERBS,
        status: false,
        status_on_create: false,
        generation: false,
        returns_deleted: false,
        computed: None,
        observed: None,
        aggregated: false,
        body_of: None,
        later: None,
        subresources: &[],
        scale: None,
        fields: &[],
        nulls: Nulls::NONE,
        create_on_update: false,
        names: mini_api::name::dns1123_subdomain,
        versions: vec![served::<K>(<K as Resource>::GROUP, <K as Resource>::VERSION, Conversion::NONE)],
        behaviour: Box::new(Rules::<K>::NONE),
    }
}

fn served<K: Type>(group: &'static str, version: &'static str, conversion: Conversion) -> Version {
    let api_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Version {
        group,
        version,
        api_version,
        conversion,
        schema: || Rules::<K>::NONE.schema(),
        json_schema: || Rules::<K>::NONE.json_schema(),
    }
}

fn qualify(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

/// The time since `then`, as tables show ages.
pub(super) fn age(then: Option<&Time>, now: Timestamp) -> String {
    then.map_or_else(|| "<unknown>".to_owned(), |then| mini_api::age::human(now.duration_since(then.0).as_secs()))
}
