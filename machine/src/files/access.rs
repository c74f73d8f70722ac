//! Who may do what with a file.

use super::{Credentials, Mode};
use crate::Errno;

pub(crate) const READ: u8 = 4;
pub(crate) const WRITE: u8 = 2;
pub(crate) const EXECUTE: u8 = 1;

/// What decides about a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Owned {
    pub(crate) mode: Mode,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) directory: bool,
}

impl Credentials {
    /// Whether it is one of its groups.
    fn is_in(&self, gid: u32) -> bool {
        self.gid == gid || self.groups.contains(&gid)
    }
}

/// EACCES unless all of `want` is allowed. The first class that fits decides, as on Linux; user 0 may everything but execute what nobody may.
pub(crate) fn check(who: &Credentials, file: Owned, want: u8) -> Result<(), Errno> {
    let shift = match () {
        () if who.uid == file.uid => 6,
        () if who.is_in(file.gid) => 3,
        () => 0,
    };
    let all = if who.uid == 0 { 0o6 | u8::from(file.directory || file.mode & 0o111 != 0) } else { (file.mode >> shift & 7) as u8 };
    if all & want == want { Ok(()) } else { Err(Errno::EACCES) }
}

/// EPERM unless it is its owner or user 0.
pub(crate) fn owns(who: &Credentials, file: Owned) -> Result<(), Errno> {
    if who.uid == 0 || who.uid == file.uid { Ok(()) } else { Err(Errno::EPERM) }
}

/// What of the mode is left when somebody changes it or the owner: setgid needs the group.
pub(crate) fn settable(who: &Credentials, file: Owned, mode: Mode) -> Mode {
    if who.uid == 0 || who.is_in(file.gid) { mode & 0o7777 } else { mode & 0o5777 }
}

/// Whether the owner and group may be changed so.
pub(crate) fn may_give(who: &Credentials, file: Owned, uid: Option<u32>, gid: Option<u32>) -> Result<(), Errno> {
    let same_user = uid.is_none_or(|uid| uid == file.uid);
    let allowed = who.uid == 0 || (who.uid == file.uid && same_user && gid.is_none_or(|gid| who.is_in(gid)));
    if allowed { Ok(()) } else { Err(Errno::EPERM) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_class_that_fits_decides() {
        let who = |uid, gid, groups: &[u32]| Credentials { uid, gid, groups: groups.to_vec() };
        let (root, owner, member, other) = (who(0, 0, &[]), who(7, 1, &[]), who(8, 1, &[70]), who(9, 9, &[]));
        let file = |mode, directory| Owned { mode, uid: 7, gid: 70, directory };
        for (who, mode, directory, want, allowed) in [
            (&root, 0o000, false, READ | WRITE, true),
            (&root, 0o000, false, EXECUTE, false),
            (&root, 0o001, false, EXECUTE, true),
            (&root, 0o000, true, EXECUTE, true),
            (&owner, 0o600, false, READ | WRITE, true),
            (&owner, 0o077, false, READ, false),
            (&member, 0o640, false, READ, true),
            (&member, 0o604, false, READ, false),
            (&other, 0o604, false, READ, true),
            (&other, 0o604, false, READ | WRITE, false),
            (&other, 0o711, true, EXECUTE, true),
        ] {
            assert_eq!(check(who, file(mode, directory), want).is_ok(), allowed, "{who:?} {mode:o} {want}");
        }
    }

    #[test]
    fn only_root_gives_away() {
        let owner = Credentials { uid: 7, gid: 7, groups: vec![70] };
        let file = Owned { mode: 0o644, uid: 7, gid: 7, directory: false };
        assert_eq!(may_give(&owner, file, Some(8), None), Err(Errno::EPERM));
        assert_eq!(may_give(&owner, file, Some(7), Some(70)), Ok(()));
        assert_eq!(may_give(&owner, file, None, Some(71)), Err(Errno::EPERM));
        assert_eq!(may_give(&Credentials::default(), file, Some(8), Some(9)), Ok(()));
        assert_eq!(settable(&owner, Owned { gid: 71, ..file }, 0o6755), 0o4755);
    }
}
