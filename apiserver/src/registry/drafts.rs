//! Bodies that come many times alike: whoever makes pods of a template sends the same one for each of them, and only what the
//! server gives them tells them apart. So what reading one gave is remembered for the next.

use std::{
    collections::{VecDeque, hash_map::RandomState},
    hash::BuildHasher,
    sync::Arc,
};

use parking_lot::Mutex;

use super::{Call, FieldValidation, managed::Entry};
use crate::kinds::rules::Object;

/// How many bodies are remembered.
const MOST: usize = 32;
/// Bodies longer than this are not.
const LONGEST: usize = 16 * 1024;

/// A new object as its body and the defaults have it: of what the server gives, it has at most a name.
pub(super) struct Draft {
    /// The object, without its managedFields.
    pub(super) object: Box<dyn Object>,
    /// Who owns what of it.
    pub(super) entries: Vec<Entry>,
    /// Whether its name was made by us.
    pub(super) generated: bool,
}

/// All that decides what becomes of a body, and who then owns it.
#[derive(PartialEq)]
struct Asked {
    kind: usize,
    version: usize,
    validation: FieldValidation,
    namespace: String,
    manager: String,
    body: Box<[u8]>,
}

impl Asked {
    fn is(&self, call: &Call, body: &[u8]) -> bool {
        (self.kind, self.version, self.validation) == (call.kind, call.version, call.validation)
            && (&self.namespace, &self.manager) == (&call.namespace, &call.manager)
            && *self.body == *body
    }
}

impl Draft {
    /// The same once more.
    pub(super) fn copy(&self) -> Self {
        Self { object: self.object.copy(), entries: self.entries.clone(), generated: self.generated }
    }
}

/// The hash of a body and all else that was asked, what was read, and what whoever sent it was told.
type Known = (u64, Asked, Arc<Draft>, Vec<String>);

/// The drafts of the last bodies, the newest last.
#[derive(Default)]
pub(super) struct Drafts {
    hasher: RandomState,
    read: Mutex<VecDeque<Known>>,
}

impl Drafts {
    /// What reading this body gave before, if it did. Whoever sent it is told the same again.
    pub(super) fn find(&self, call: &mut Call, body: &[u8]) -> Option<Arc<Draft>> {
        let hash = self.hasher.hash_one(body);
        let read = self.read.lock();
        let (.., draft, warnings) = read.iter().rev().find(|(of, asked, ..)| *of == hash && asked.is(call, body))?;
        call.warnings.extend_from_slice(warnings);
        Some(draft.clone())
    }

    /// Remembers what reading this body gave, if it can come again: an object whose name is given can be created but once.
    pub(super) fn keep(&self, call: &Call, body: &[u8], draft: &Draft, warnings: &[String]) {
        if !draft.generated || body.len() > LONGEST {
            return;
        }
        let asked = Asked {
            kind: call.kind,
            version: call.version,
            validation: call.validation,
            namespace: call.namespace.clone(),
            manager: call.manager.clone(),
            body: body.into(),
        };
        let read = (self.hasher.hash_one(body), asked, Arc::new(draft.copy()), warnings.to_vec());
        let mut all = self.read.lock();
        if all.len() == MOST {
            all.pop_front();
        }
        all.push_back(read);
    }
}
