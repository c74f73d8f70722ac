//! A change that code of ours works out on the object as it is, such as a binding: no patch, no body that is the object.

use super::{Call, Registry, TRIES, Written, codec};
use crate::{
    admission::{Attempt, Before, Verb},
    cache::item::Item,
    error::{ApiError, Result},
    kinds::{rules::Object, subresource::Moment},
};

/// What such a change does. It may be asked again, on the object as it is then.
pub(super) type Action<'a> = &'a (dyn Fn(&mut dyn Object, &Moment<'_>) -> Result<()> + Sync);

impl Registry {
    /// Changes an object through one of its subresources. managedFields stay as they are.
    ///
    /// # Errors
    /// 404, and what the action refuses.
    pub async fn act(&self, call: &Call, name: &str, subresource: &str, action: Action<'_>) -> Result<Written> {
        for _ in 0..TRIES {
            let kind = self.kind(call);
            let found = self.find_object(call, name).await;
            let current = found.ok_or_else(|| ApiError::not_found(kind.plural, kind.group(), name))?;
            if let Some(written) = self.act_once(call, name, subresource, action, &current).await? {
                return Ok(written);
            }
        }
        Err(ApiError::stale(self.kind(call), name))
    }

    async fn act_once(&self, call: &Call, name: &str, subresource: &str, action: Action<'_>, current: &Item) -> Result<Option<Written>> {
        let kind = self.kind(call);
        let mut object = self.object(call.kind, current)?;
        let before = Before::new(kind, current);
        self.moment(call.now, |moment| action(&mut *object, moment))?;
        let mut attempt = Attempt::new(kind, Verb::Update, &call.namespace, name, Some(subresource), &mut *object);
        (attempt.before, attempt.dry_run) = (Some(&before), call.dry_run);
        attempt.holds = self.admit(&mut attempt).await?;
        let holds = self.validate(&mut attempt).await?;
        let stored = codec::stored(kind, &mut *object, codec::split(&current.json).managed)?;
        self.commit(call, &*object, stored, current, holds).await
    }
}
