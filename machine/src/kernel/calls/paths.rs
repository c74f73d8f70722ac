//! Calls about files by path; relative ones begin at the working directory.

use jiff::Timestamp;

use crate::{
    Ctx, Errno,
    files::{
        Entry, Mode, Space, Stat, access,
        view::{Asker, Last, Spot, View},
    },
};

/// Files by path; relative ones begin at [`Ctx::cwd`].
impl Ctx {
    fn look<T>(&self, look: impl FnOnce(&View, Asker<'_>) -> Result<T, Errno>) -> Result<T, Errno> {
        self.asking(|asker| look(&self.core().view, asker))
    }

    /// What a path leads to.
    pub fn stat(&self, path: &str) -> Result<Stat, Errno> {
        self.look(|view, asker| view.find(asker, path, Last::Follow)?.stat())
    }

    /// The same of a symlink itself.
    pub fn lstat(&self, path: &str) -> Result<Stat, Errno> {
        self.look(|view, asker| view.find(asker, path, Last::Keep)?.stat())
    }

    /// Whether it may read (4), write (2), execute (1) what a path leads to; 0: whether it is there.
    pub fn access(&self, path: &str, how: u8) -> Result<(), Errno> {
        self.look(|view, asker| {
            let place = view.find(asker, path, Last::Follow)?;
            access::check(asker.who, place.owned()?, how)?;
            if how & access::WRITE != 0 && place.read_only { Err(Errno::EROFS) } else { Ok(()) }
        })
    }

    /// The path without symlinks, `.` and `..`; the last name need not be there.
    pub fn canonical(&self, path: &str) -> Result<String, Errno> {
        self.look(|view, asker| Ok(view.walk(asker, path, Last::Follow)?.path()))
    }

    /// The entries of a directory without `.` and `..`, by name.
    pub fn list(&self, path: &str) -> Result<Vec<Entry>, Errno> {
        let entries = self.look(|view, asker| {
            let place = view.find(asker, path, Last::Follow)?;
            access::check(asker.who, place.owned()?, access::READ)?;
            view.list(&place, asker.pid)
        })?;
        self.charge_steps(u32::try_from(entries.len() / 8).unwrap_or(u32::MAX));
        Ok(entries)
    }

    /// How much the file system that a path is on may hold, and how much was written to it. Of generated files: nothing.
    pub fn space(&self, path: &str) -> Result<(Space, Space), Errno> {
        self.look(|view, asker| match &view.find(asker, path, Last::Follow)?.spot {
            Spot::Node(tree, _) => Ok((tree.space(), tree.used())),
            Spot::Made(..) => Ok((Space { bytes: 0, inodes: 0 }, Space { bytes: 0, inodes: 0 })),
        })
    }

    /// Where a symlink leads.
    pub fn readlink(&self, path: &str) -> Result<String, Errno> {
        self.look(|view, asker| view.find(asker, path, Last::Keep)?.readlink())
    }

    /// Makes a directory, with this mode less the umask.
    pub fn mkdir(&self, path: &str, mode: Mode) -> Result<(), Errno> {
        let umask = self.umask();
        self.look(|view, asker| view.mkdir(asker, path, mode & !umask))
    }

    /// Makes a named pipe, with this mode less the umask.
    pub fn mkfifo(&self, path: &str, mode: Mode) -> Result<(), Errno> {
        let umask = self.umask();
        self.look(|view, asker| view.mkfifo(asker, path, mode & !umask))
    }

    /// Removes an empty directory.
    pub fn rmdir(&self, path: &str) -> Result<(), Errno> {
        self.look(|view, asker| view.rmdir(asker, path))
    }

    /// Removes a name that is no directory's.
    pub fn unlink(&self, path: &str) -> Result<(), Errno> {
        self.look(|view, asker| view.unlink(asker, path))
    }

    /// Gives a file another name, in place of what had it.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), Errno> {
        self.look(|view, asker| view.rename(asker, from, to))
    }

    /// Gives a file one more name.
    pub fn link(&self, from: &str, to: &str) -> Result<(), Errno> {
        self.look(|view, asker| view.link(asker, from, to))
    }

    /// Makes a symlink at `path` that leads to `target`.
    pub fn symlink(&self, target: &str, path: &str) -> Result<(), Errno> {
        self.look(|view, asker| view.symlink(asker, target, path))
    }

    /// Changes permission bits.
    pub fn chmod(&self, path: &str, mode: Mode) -> Result<(), Errno> {
        self.look(|view, asker| view.chmod(asker, path, mode))
    }

    /// Changes owner and group; of a symlink itself unless `follow`.
    pub fn chown(&self, path: &str, uid: Option<u32>, gid: Option<u32>, follow: bool) -> Result<(), Errno> {
        self.look(|view, asker| view.chown(asker, path, uid, gid, if follow { Last::Follow } else { Last::Keep }))
    }

    /// Sets when it was changed.
    pub fn touch(&self, path: &str, modified: Timestamp) -> Result<(), Errno> {
        self.look(|view, asker| view.touch(asker, path, modified))
    }

    /// Cuts or lengthens a file.
    pub fn truncate(&self, path: &str, size: u64) -> Result<(), Errno> {
        self.charge_zeros(size);
        self.look(|view, asker| view.truncate(asker, path, size))
    }
}
