//! What can be done with paths: the calls of a program about files, with all that decides whether it may.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    Device, Kind, Mode, Open, Tree,
    access::{self, EXECUTE, READ, WRITE},
    generated::Made,
    node::{Content, Data, Ino, Node},
    tree::{Handle, Move},
    view::{Asker, Last, Place, Spot, View, Walk},
};
use crate::{Errno, kernel::Pid};

/// How much of an executable file says what it is.
const HEAD: usize = 512;

/// What opening a path gives.
pub(crate) enum Opened {
    /// A file.
    File(Handle),
    /// A directory.
    Directory(Place),
    Device(Device),
    Fifo(Arc<Tree>, Ino),
    /// A file whose content was made for this.
    Made(Bytes),
    /// What a process has open already.
    Descriptor(Pid, u32),
}

impl View {
    /// Where a path leads, which must be there.
    pub(crate) fn find(&self, asker: Asker<'_>, path: &str, last: Last) -> Result<Place, Errno> {
        self.walk(asker, path, last)?.found()
    }

    pub(crate) fn open(&self, asker: Asker<'_>, path: &str, how: Open, umask: Mode) -> Result<Opened, Errno> {
        let last = if how.no_follow || (how.exclusive && how.create.is_some()) { Last::Keep } else { Last::Follow };
        let walk = self.walk(asker, path, last)?;
        if walk.missing.is_some() {
            let mode = how.create.ok_or(Errno::ENOENT)?;
            let (directory, name) = target(&walk, asker)?;
            let ino = directory.node()?.0.create(
                directory.node()?.1,
                name,
                Data::File(Content::Own(Vec::new())),
                mode & !umask & 0o7777,
                asker.who,
            )?;
            return Ok(Opened::File(Handle::new(directory.node()?.0, ino)));
        }
        if how.create.is_some() && how.exclusive {
            return Err(Errno::EEXIST);
        }
        let place = walk.place();
        let kind = place.kind()?;
        if let Spot::Made(_, _, Made::Descriptor(pid, fd)) = &place.spot {
            return Ok(Opened::Descriptor(*pid, *fd));
        }
        match kind {
            Kind::Symlink => return Err(Errno::ELOOP),
            Kind::Directory if how.write || how.create.is_some() => return Err(Errno::EISDIR),
            Kind::Directory => {}
            _ if how.directory => return Err(Errno::ENOTDIR),
            _ => {}
        }
        let want = if how.read { READ } else { 0 } | if how.write { WRITE } else { 0 };
        access::check(asker.who, place.owned()?, want)?;
        match (&place.spot, kind) {
            (Spot::Made(_, _, Made::File(_)), _) if how.write => Err(Errno::EACCES),
            (Spot::Made(_, _, Made::File(content)), _) => Ok(Opened::Made(Bytes::copy_from_slice(content))),
            (_, Kind::Directory) => Ok(Opened::Directory(place.clone())),
            (Spot::Node(..), Kind::Device(device)) => Ok(Opened::Device(device)),
            (Spot::Node(tree, ino), Kind::Fifo) => Ok(Opened::Fifo(tree.clone(), *ino)),
            (Spot::Node(tree, ino), _) => {
                if how.write {
                    place.writable()?;
                }
                if how.truncate && how.write {
                    tree.truncate(*ino, 0)?;
                }
                Ok(Opened::File(Handle::new(tree, *ino)))
            }
            (Spot::Made(..), _) => Err(Errno::EACCES),
        }
    }

    /// The first bytes of an executable file, if it may be executed.
    pub(crate) fn executable(&self, asker: Asker<'_>, path: &str) -> Result<Vec<u8>, Errno> {
        let place = self.find(asker, path, Last::Follow)?;
        match place.kind()? {
            Kind::File => {}
            // As execve answers for directories and all that is no file.
            _ => return Err(Errno::EACCES),
        }
        access::check(asker.who, place.owned()?, EXECUTE)?;
        let (tree, ino) = place.node().map_err(|_| Errno::EACCES)?;
        tree.read_at(ino, 0, HEAD)
    }

    pub(crate) fn mkdir(&self, asker: Asker<'_>, path: &str, mode: Mode) -> Result<(), Errno> {
        self.make(asker, trimmed(path), |now| Node::directory(0, now).data, mode)
    }

    pub(crate) fn mkfifo(&self, asker: Asker<'_>, path: &str, mode: Mode) -> Result<(), Errno> {
        self.make(asker, path, |_| Data::Fifo, mode)
    }

    pub(crate) fn mkdev(&self, asker: Asker<'_>, path: &str, device: Device, mode: Mode) -> Result<(), Errno> {
        self.make(asker, path, |_| Data::Device(device), mode)
    }

    pub(crate) fn symlink(&self, asker: Asker<'_>, to: &str, path: &str) -> Result<(), Errno> {
        if to.is_empty() {
            return Err(Errno::ENOENT);
        }
        if to.len() >= 4096 {
            return Err(Errno::ENAMETOOLONG);
        }
        self.make(asker, path, |_| Data::Symlink(to.into()), 0o777)
    }

    fn make(&self, asker: Asker<'_>, path: &str, data: impl FnOnce(Timestamp) -> Data, mode: Mode) -> Result<(), Errno> {
        let walk = self.walk(asker, path, Last::Keep)?;
        if walk.missing.is_none() {
            return Err(Errno::EEXIST);
        }
        let (directory, name) = target(&walk, asker)?;
        let (tree, ino) = directory.node()?;
        tree.create(ino, name, data(Timestamp::UNIX_EPOCH), mode & 0o7777, asker.who).map(|_| ())
    }

    pub(crate) fn link(&self, asker: Asker<'_>, from: &str, to: &str) -> Result<(), Errno> {
        let from = self.find(asker, from, Last::Keep)?;
        let walk = self.walk(asker, to, Last::Keep)?;
        if walk.missing.is_none() {
            return Err(Errno::EEXIST);
        }
        let (directory, name) = target(&walk, asker)?;
        let ((tree, ino), (other, into)) = (from.node()?, directory.node()?);
        if tree.id() != other.id() {
            return Err(Errno::EXDEV);
        }
        tree.link(ino, into, name)
    }

    pub(crate) fn unlink(&self, asker: Asker<'_>, path: &str) -> Result<(), Errno> {
        let walk = self.walk(asker, path, Last::Keep)?;
        let (directory, name) = self.removable(&walk, asker)?;
        let (tree, ino) = directory.node()?;
        tree.unlink(ino, name)
    }

    pub(crate) fn rmdir(&self, asker: Asker<'_>, path: &str) -> Result<(), Errno> {
        if trimmed(path).rsplit('/').next() == Some(".") {
            return Err(Errno::EINVAL);
        }
        let walk = self.walk(asker, trimmed(path), Last::Keep)?;
        if walk.missing.is_none() && walk.place().kind()? != Kind::Directory {
            return Err(Errno::ENOTDIR);
        }
        let (directory, name) = self.removable(&walk, asker)?;
        let (tree, ino) = directory.node()?;
        tree.rmdir(ino, name)
    }

    pub(crate) fn rename(&self, asker: Asker<'_>, from: &str, to: &str) -> Result<(), Errno> {
        let (old, new) = (self.walk(asker, trimmed(from), Last::Keep)?, self.walk(asker, trimmed(to), Last::Keep)?);
        let (source, old_name) = self.removable(&old, asker)?;
        let moved_is_directory = old.place().kind()? == Kind::Directory;
        if !moved_is_directory && (from.ends_with('/') || to.ends_with('/')) {
            return Err(Errno::ENOTDIR);
        }
        let (directory, new_name) = if new.missing.is_some() { target(&new, asker)? } else { self.removable(&new, asker)? };
        let ((tree, from), (other, to)) = (source.node()?, directory.node()?);
        if tree.id() != other.id() {
            return Err(Errno::EXDEV);
        }
        if moved_is_directory && new.passes(old.place()) {
            return Err(Errno::EINVAL);
        }
        if new.missing.is_none() && old.passes(new.place()) {
            return Err(Errno::ENOTEMPTY);
        }
        tree.rename(Move { from: (from, old_name), to: (to, new_name) })
    }

    pub(crate) fn chmod(&self, asker: Asker<'_>, path: &str, mode: Mode) -> Result<(), Errno> {
        let place = self.find(asker, path, Last::Follow)?;
        let owned = place.owned()?;
        let (tree, ino) = place.writable()?;
        access::owns(asker.who, owned)?;
        tree.alter(ino, |node| node.mode = access::settable(asker.who, owned, mode))
    }

    pub(crate) fn chown(&self, asker: Asker<'_>, path: &str, uid: Option<u32>, gid: Option<u32>, last: Last) -> Result<(), Errno> {
        let place = self.find(asker, path, last)?;
        let owned = place.owned()?;
        let (tree, ino) = place.writable()?;
        access::may_give(asker.who, owned, uid, gid)?;
        tree.alter(ino, |node| {
            node.uid = uid.unwrap_or(node.uid);
            node.gid = gid.unwrap_or(node.gid);
            if matches!(node.data, Data::File(_)) {
                node.mode &= 0o1777;
            }
        })
    }

    pub(crate) fn touch(&self, asker: Asker<'_>, path: &str, modified: Timestamp) -> Result<(), Errno> {
        let place = self.find(asker, path, Last::Follow)?;
        let owned = place.owned()?;
        let (tree, ino) = place.writable()?;
        if access::owns(asker.who, owned).is_err() {
            access::check(asker.who, owned, WRITE)?;
        }
        tree.alter(ino, |node| node.modified = modified)
    }

    pub(crate) fn truncate(&self, asker: Asker<'_>, path: &str, size: u64) -> Result<(), Errno> {
        let place = self.find(asker, path, Last::Follow)?;
        if place.kind()? == Kind::Directory {
            return Err(Errno::EISDIR);
        }
        access::check(asker.who, place.owned()?, WRITE)?;
        let (tree, ino) = place.writable()?;
        tree.truncate(ino, size)
    }

    /// The directory and the name of what shall be removed, if it may be.
    fn removable<'a>(&self, walk: &'a Walk, asker: Asker<'_>) -> Result<(&'a Place, &'a str), Errno> {
        if walk.missing.is_some() {
            return Err(Errno::ENOENT);
        }
        let place = walk.place();
        if walk.parent().is_none() || self.is_mounted(place) {
            return Err(Errno::EBUSY);
        }
        let (directory, name) = target(walk, asker)?;
        let (above, owned) = (directory.owned()?, place.owned()?);
        // In a sticky directory names belong to their files' owners.
        if above.mode & 0o1000 != 0 && access::owns(asker.who, above).is_err() {
            access::owns(asker.who, owned)?;
        }
        Ok((directory, name))
    }
}

/// The directory that has or shall have the last name of a path, if it may be changed.
fn target<'a>(walk: &'a Walk, asker: Asker<'_>) -> Result<(&'a Place, &'a str), Errno> {
    let (directory, name) = walk.parent().ok_or(Errno::EBUSY)?;
    let owned = directory.owned()?;
    if !owned.directory {
        return Err(Errno::ENOTDIR);
    }
    if directory.read_only {
        return Err(Errno::EROFS);
    }
    access::check(asker.who, owned, WRITE | EXECUTE)?;
    directory.node()?;
    Ok((directory, name))
}

/// A path without slashes at its end.
fn trimmed(path: &str) -> &str {
    let end = path.trim_end_matches('/');
    if end.is_empty() && !path.is_empty() { "/" } else { end }
}
