//! The names of users and groups, as `/etc/passwd` and `/etc/group` say.

use crate::{Ctx, files::Open};

/// Who is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct People {
    users: Vec<(u32, u32, String)>,
    groups: Vec<(u32, String)>,
    members: Vec<(u32, String)>,
}

async fn text(ctx: &Ctx, path: &str) -> String {
    let Ok(fd) = ctx.open(path, Open::READ).await else { return String::new() };
    let bytes = ctx.read_all(fd).await.unwrap_or_default();
    let _ = ctx.close(fd);
    String::from_utf8_lossy(&bytes).into_owned()
}

impl People {
    /// Reads who is known.
    pub(crate) async fn read(ctx: &Ctx) -> Self {
        let (passwd, group) = (text(ctx, "/etc/passwd").await, text(ctx, "/etc/group").await);
        let mut people = Self::default();
        for line in passwd.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if let [name, _, uid, gid, ..] = fields.as_slice()
                && let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse())
            {
                people.users.push((uid, gid, (*name).to_owned()));
            }
        }
        for line in group.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if let [name, _, gid, rest @ ..] = fields.as_slice()
                && let Ok(gid) = gid.parse()
            {
                people.groups.push((gid, (*name).to_owned()));
                let members = rest.first().copied().unwrap_or_default();
                people.members.extend(members.split(',').filter(|member| !member.is_empty()).map(|member| (gid, member.to_owned())));
            }
        }
        people
    }

    /// The name of a user, if it has one.
    pub(crate) fn user_name(&self, uid: u32) -> Option<&str> {
        self.users.iter().find(|(known, ..)| *known == uid).map(|(.., name)| name.as_str())
    }

    /// The name of a group, if it has one.
    pub(crate) fn group_name(&self, gid: u32) -> Option<&str> {
        self.groups.iter().find(|(known, _)| *known == gid).map(|(_, name)| name.as_str())
    }

    /// The name of a user, or its number.
    pub(crate) fn user(&self, uid: u32) -> String {
        self.user_name(uid).map_or_else(|| uid.to_string(), str::to_owned)
    }

    /// The name of a group, or its number.
    pub(crate) fn group(&self, gid: u32) -> String {
        self.group_name(gid).map_or_else(|| gid.to_string(), str::to_owned)
    }

    /// The number of a user, and of its group, by its name.
    pub(crate) fn uid(&self, name: &str) -> Option<(u32, u32)> {
        self.users.iter().find(|(.., known)| known == name).map(|(uid, gid, _)| (*uid, *gid))
    }

    /// The number of a group by its name.
    pub(crate) fn gid(&self, name: &str) -> Option<u32> {
        self.groups.iter().find(|(_, known)| known == name).map(|(gid, _)| *gid)
    }

    /// The groups that a user is a further member of.
    pub(crate) fn groups_of(&self, name: &str) -> Vec<u32> {
        self.members.iter().filter(|(_, member)| member == name).map(|(gid, _)| *gid).collect()
    }
}
