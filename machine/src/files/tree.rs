//! A tree of files: an image, and what was written over it. Works on inodes; of paths it knows nothing.
//!
//! A file of the image is copied when it is first written, a directory when its first name changes; a tree that nobody has written
//! to is a few words. What is written is bounded in bytes and in inodes.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use parking_lot::Mutex;

use super::{
    Credentials, Entry, Kind, Mode, Stat,
    node::{Content, Data, Image, Ino, Node},
};
use crate::{Errno, kernel::Now, pipe::Pipe};

/// The longest a name may be.
const LONGEST_NAME: usize = 255;

/// How much may be written over an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Bytes of files.
    pub bytes: u64,
    /// Inodes.
    pub inodes: u64,
}

impl Default for Space {
    fn default() -> Self {
        Self { bytes: 64 << 20, inodes: 16_384 }
    }
}

/// A tree of files, to be a root or mounted, in one container or in several.
pub struct Tree {
    /// Tells trees apart.
    id: u64,
    image: Arc<Image>,
    space: Space,
    now: Now,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What differs from the image.
    changed: BTreeMap<Ino, Node>,
    /// How often inodes are open.
    opens: BTreeMap<Ino, u32>,
    /// Named pipes in use.
    fifos: BTreeMap<Ino, Weak<Pipe>>,
    /// The next free number; 0: the image's.
    next: Ino,
    /// Bytes of files that are no longer the image's.
    used: u64,
    /// Names that were made, less those that were taken away.
    names: i64,
}

/// Gives every tree its number.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// How a rename treats what is in its way.
pub(crate) struct Move<'a> {
    pub(crate) from: (Ino, &'a str),
    pub(crate) to: (Ino, &'a str),
}

impl Tree {
    /// A tree over an image.
    pub fn new(image: Arc<Image>, space: Space, now: Now) -> Arc<Self> {
        Arc::new(Self { id: NEXT.fetch_add(1, Ordering::Relaxed), image, space, now, state: Mutex::default() })
    }

    /// What it is now, as an image; named pipes are left out.
    pub fn freeze(&self) -> Arc<Image> {
        let state = self.state.lock();
        let mut nodes = self.image.nodes().clone();
        nodes.extend(state.changed.iter().map(|(ino, node)| (*ino, node.clone())));
        nodes.retain(|_, node| node.links > 0 && !matches!(node.data, Data::Fifo));
        for node in nodes.values_mut() {
            if let Data::File(content @ Content::Own(_)) = &mut node.data {
                *content = Content::Shared(Bytes::copy_from_slice(content.as_slice()));
            }
        }
        let kept: Vec<Ino> = nodes.keys().copied().collect();
        for node in nodes.values_mut() {
            if let Data::Directory(names) = &mut node.data {
                names.retain(|_, ino| kept.binary_search(ino).is_ok());
            }
        }
        Image::of(nodes)
    }

    /// Bytes and inodes that were written over the image.
    pub fn used(&self) -> Space {
        let state = self.state.lock();
        Space { bytes: state.used, inodes: state.changed.len() as u64 }
    }

    /// How much may be written.
    pub fn space(&self) -> Space {
        self.space
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Looks at a node.
    pub(crate) fn look<T>(&self, ino: Ino, look: impl FnOnce(&Node) -> T) -> Result<T, Errno> {
        let state = self.state.lock();
        state.get(&self.image, ino).map(look)
    }

    pub(crate) fn stat(&self, ino: Ino) -> Result<Stat, Errno> {
        self.look(ino, |node| Stat {
            kind: node.kind(),
            mode: node.mode,
            uid: node.uid,
            gid: node.gid,
            size: node.size(),
            links: node.links,
            modified: node.modified,
            device: self.id,
            inode: ino,
        })
    }

    /// What a name in a directory leads to.
    pub(crate) fn lookup(&self, directory: Ino, name: &str) -> Result<Option<Ino>, Errno> {
        if name.len() > LONGEST_NAME {
            return Err(Errno::ENAMETOOLONG);
        }
        self.look(directory, |node| names(node).map(|names| names.get(name).copied()))?
    }

    pub(crate) fn list(&self, directory: Ino) -> Result<Vec<Entry>, Errno> {
        let state = self.state.lock();
        let names = names(state.get(&self.image, directory)?)?;
        let entry =
            |(name, ino): (&str, Ino)| Some(Entry { name: name.into(), kind: state.get(&self.image, ino).ok()?.kind(), inode: ino });
        Ok(names.iter().filter_map(|(name, ino)| entry((name, *ino))).collect())
    }

    /// Makes a node under a name that is free.
    pub(crate) fn create(&self, directory: Ino, name: &str, data: Data, mode: Mode, who: &Credentials) -> Result<Ino, Errno> {
        let now = (self.now)();
        let mut state = self.state.lock();
        self.may_add(&state, directory, name)?;
        let is_directory = matches!(data, Data::Directory(_));
        let parent = state.get_mut(self, directory)?;
        // A directory with setgid hands its group down.
        let inherits = parent.mode & 0o2000 != 0;
        let gid = if inherits { parent.gid } else { who.gid };
        let mode = if inherits && is_directory { mode | 0o2000 } else { mode };
        parent.links += u32::from(is_directory);
        parent.modified = now;
        let ino = state.fresh(&self.image);
        state.add_name(self, directory, name, ino)?;
        let links = if is_directory { 2 } else { 1 };
        state.changed.insert(ino, Node { data, mode, uid: who.uid, gid, links, modified: now });
        Ok(ino)
    }

    /// Gives a node that is no directory one more name.
    pub(crate) fn link(&self, ino: Ino, directory: Ino, name: &str) -> Result<(), Errno> {
        let now = (self.now)();
        let mut state = self.state.lock();
        if state.get(&self.image, ino)?.kind() == Kind::Directory {
            return Err(Errno::EPERM);
        }
        self.may_add(&state, directory, name)?;
        state.get_mut(self, ino)?.links += 1;
        state.add_name(self, directory, name, ino)?;
        state.get_mut(self, directory)?.modified = now;
        Ok(())
    }

    /// Takes away a name that is no directory's.
    pub(crate) fn unlink(&self, directory: Ino, name: &str) -> Result<(), Errno> {
        let now = (self.now)();
        let mut state = self.state.lock();
        let ino = *names(state.get(&self.image, directory)?)?.get(name).ok_or(Errno::ENOENT)?;
        if state.get(&self.image, ino)?.kind() == Kind::Directory {
            return Err(Errno::EISDIR);
        }
        state.take_name(self, directory, name)?;
        state.get_mut(self, directory)?.modified = now;
        state.release(self, ino)
    }

    /// Takes away an empty directory.
    pub(crate) fn rmdir(&self, directory: Ino, name: &str) -> Result<(), Errno> {
        let now = (self.now)();
        let mut state = self.state.lock();
        let ino = *names(state.get(&self.image, directory)?)?.get(name).ok_or(Errno::ENOENT)?;
        if !names(state.get(&self.image, ino)?)?.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        state.drop_directory(self, directory, name, ino)?;
        state.get_mut(self, directory)?.modified = now;
        Ok(())
    }

    /// Gives a node another name, in place of what has it. That the one is not inside the other is known to the caller.
    pub(crate) fn rename(&self, Move { from, to }: Move<'_>) -> Result<(), Errno> {
        let now = (self.now)();
        let mut state = self.state.lock();
        let ino = *names(state.get(&self.image, from.0)?)?.get(from.1).ok_or(Errno::ENOENT)?;
        let is_directory = state.get(&self.image, ino)?.kind() == Kind::Directory;
        let there = names(state.get(&self.image, to.0)?)?.get(to.1).copied();
        match there {
            Some(there) if there == ino => return Ok(()),
            Some(there) => {
                let node = state.get(&self.image, there)?;
                match (is_directory, node.kind() == Kind::Directory) {
                    (true, false) => return Err(Errno::ENOTDIR),
                    (false, true) => return Err(Errno::EISDIR),
                    (true, true) if !names(node)?.is_empty() => return Err(Errno::ENOTEMPTY),
                    (true, true) => state.drop_directory(self, to.0, to.1, there)?,
                    (false, false) => {
                        state.take_name(self, to.0, to.1)?;
                        state.release(self, there)?;
                    }
                }
            }
            None => self.may_add(&state, to.0, to.1)?,
        }
        state.take_name(self, from.0, from.1)?;
        state.add_name(self, to.0, to.1, ino)?;
        for (directory, change) in [(from.0, -1), (to.0, 1)] {
            let node = state.get_mut(self, directory)?;
            node.modified = now;
            if is_directory {
                node.links = node.links.saturating_add_signed(change);
            }
        }
        Ok(())
    }

    /// At most `most` bytes of a file from a position.
    pub(crate) fn read_at(&self, ino: Ino, at: u64, most: usize) -> Result<Vec<u8>, Errno> {
        self.look(ino, |node| match &node.data {
            Data::File(content) => {
                let bytes = content.as_slice();
                let at = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes[at..bytes.len().min(at.saturating_add(most))].to_vec())
            }
            Data::Directory(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        })?
    }

    /// The whole file; shared with the image if it has not been written.
    pub(crate) fn read_whole(&self, ino: Ino) -> Result<Bytes, Errno> {
        self.look(ino, |node| match &node.data {
            Data::File(Content::Shared(bytes)) => Ok(bytes.clone()),
            Data::File(Content::Own(bytes)) => Ok(Bytes::copy_from_slice(bytes)),
            Data::Directory(_) => Err(Errno::EISDIR),
            _ => Err(Errno::EINVAL),
        })?
    }

    /// Writes at a position, or at the end; answers where it ended. What there is space for is written; ENOSPC if that is nothing.
    pub(crate) fn write_at(&self, ino: Ino, at: Option<u64>, bytes: &[u8]) -> Result<(u64, usize), Errno> {
        let now = (self.now)();
        let mut state = self.state.lock();
        let old = state.get(&self.image, ino)?.size();
        let at = at.unwrap_or(old);
        if bytes.is_empty() {
            return Ok((at, 0));
        }
        // What lies between the old end and the position is filled with zeros and charged, and so is what has to be copied first.
        let room = self.room(&state, ino)?;
        let room = if old > room { 0 } else { room };
        let count = usize::try_from(room.saturating_sub(at)).unwrap_or(usize::MAX).min(bytes.len());
        if count == 0 {
            return Err(Errno::ENOSPC);
        }
        state.own(self, ino, now, |own| {
            let begin = usize::try_from(at).unwrap_or(usize::MAX);
            if own.len() < begin + count {
                own.resize(begin + count, 0);
            }
            own[begin..begin + count].copy_from_slice(&bytes[..count]);
        })?;
        Ok((at + count as u64, count))
    }

    /// Cuts or lengthens a file.
    pub(crate) fn truncate(&self, ino: Ino, size: u64) -> Result<(), Errno> {
        let now = (self.now)();
        let mut state = self.state.lock();
        if size > state.get(&self.image, ino)?.size() && size > self.room(&state, ino)? {
            return Err(Errno::ENOSPC);
        }
        // What is emptied is not copied first.
        if size == 0
            && let Data::File(content @ Content::Shared(_)) = &mut state.get_mut(self, ino)?.data
        {
            *content = Content::Own(Vec::new());
        }
        state.own(self, ino, now, |own| {
            own.resize(usize::try_from(size).unwrap_or(usize::MAX), 0);
            own.shrink_to_fit();
        })
    }

    /// Changes what is beside the content.
    pub(crate) fn alter(&self, ino: Ino, alter: impl FnOnce(&mut Node)) -> Result<(), Errno> {
        let mut state = self.state.lock();
        state.get_mut(self, ino).map(alter)
    }

    /// The named pipe of an inode, one for all who open it; the first has its bytes accounted in `held`.
    pub(crate) fn fifo(&self, ino: Ino, held: &Arc<AtomicU64>) -> Arc<Pipe> {
        let mut state = self.state.lock();
        if let Some(pipe) = state.fifos.get(&ino).and_then(Weak::upgrade) {
            return pipe;
        }
        let pipe = Pipe::new(held.clone());
        state.fifos.retain(|_, pipe| pipe.strong_count() > 0);
        state.fifos.insert(ino, Arc::downgrade(&pipe));
        pipe
    }

    /// Gives a file a content that is shared with others, and not charged.
    pub(crate) fn share(&self, ino: Ino, bytes: Bytes) -> Result<(), Errno> {
        self.truncate(ino, 0)?;
        self.alter(ino, |node| node.data = Data::File(Content::Shared(bytes)))
    }

    /// How large this file may become.
    fn room(&self, state: &State, ino: Ino) -> Result<u64, Errno> {
        let Data::File(content) = &state.get(&self.image, ino)?.data else { return Err(Errno::EINVAL) };
        Ok(self.space.bytes.saturating_sub(state.used).saturating_add(content.charge()))
    }

    fn may_add(&self, state: &State, directory: Ino, name: &str) -> Result<(), Errno> {
        let node = state.get(&self.image, directory)?;
        if name.len() > LONGEST_NAME {
            return Err(Errno::ENAMETOOLONG);
        }
        if node.links == 0 {
            return Err(Errno::ENOENT);
        }
        if names(node)?.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let names = u64::try_from(state.names).unwrap_or(0).max(state.changed.len() as u64);
        if names >= self.space.inodes { Err(Errno::ENOSPC) } else { Ok(()) }
    }
}

fn names(node: &Node) -> Result<&BTreeMap<Box<str>, Ino>, Errno> {
    match &node.data {
        Data::Directory(names) => Ok(names),
        _ => Err(Errno::ENOTDIR),
    }
}

impl State {
    fn get<'a>(&'a self, image: &'a Image, ino: Ino) -> Result<&'a Node, Errno> {
        self.changed.get(&ino).or_else(|| image.get(ino)).ok_or(Errno::ENOENT)
    }

    fn get_mut(&mut self, tree: &Tree, ino: Ino) -> Result<&mut Node, Errno> {
        use std::collections::btree_map::Entry;
        match self.changed.entry(ino) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => Ok(entry.insert(tree.image.get(ino).ok_or(Errno::ENOENT)?.clone())),
        }
    }

    fn names_mut(&mut self, tree: &Tree, ino: Ino) -> Result<&mut BTreeMap<Box<str>, Ino>, Errno> {
        match &mut self.get_mut(tree, ino)?.data {
            Data::Directory(names) => Ok(names),
            _ => Err(Errno::ENOTDIR),
        }
    }

    fn add_name(&mut self, tree: &Tree, directory: Ino, name: &str, ino: Ino) -> Result<(), Errno> {
        self.names_mut(tree, directory)?.insert(name.into(), ino);
        self.names += 1;
        Ok(())
    }

    fn take_name(&mut self, tree: &Tree, directory: Ino, name: &str) -> Result<(), Errno> {
        self.names_mut(tree, directory)?.remove(name);
        self.names -= 1;
        Ok(())
    }

    fn fresh(&mut self, image: &Image) -> Ino {
        let ino = self.next.max(image.next());
        self.next = ino + 1;
        ino
    }

    /// Changes a file's bytes, which from now on are its own, and accounts them.
    fn own(&mut self, tree: &Tree, ino: Ino, now: jiff::Timestamp, change: impl FnOnce(&mut Vec<u8>)) -> Result<(), Errno> {
        let node = self.get_mut(tree, ino)?;
        node.modified = now;
        let Data::File(content) = &mut node.data else { return Err(Errno::EINVAL) };
        let before = content.charge();
        if let Content::Shared(bytes) = content {
            *content = Content::Own(bytes.to_vec());
        }
        if let Content::Own(bytes) = content {
            change(bytes);
        }
        let after = content.charge();
        self.used = self.used.saturating_sub(before) + after;
        Ok(())
    }

    /// One name less leads to a node.
    fn release(&mut self, tree: &Tree, ino: Ino) -> Result<(), Errno> {
        let node = self.get_mut(tree, ino)?;
        node.links = node.links.saturating_sub(1);
        self.forget_if_unused(ino);
        Ok(())
    }

    fn drop_directory(&mut self, tree: &Tree, parent: Ino, name: &str, ino: Ino) -> Result<(), Errno> {
        self.take_name(tree, parent, name)?;
        let above = self.get_mut(tree, parent)?;
        above.links = above.links.saturating_sub(1);
        self.get_mut(tree, ino)?.links = 0;
        self.forget_if_unused(ino);
        Ok(())
    }

    /// A node without names goes with the last who has it open.
    fn forget_if_unused(&mut self, ino: Ino) {
        if self.opens.contains_key(&ino) || self.changed.get(&ino).is_none_or(|node| node.links > 0) {
            return;
        }
        if let Some(Node { data: Data::File(content), .. }) = self.changed.remove(&ino) {
            self.used = self.used.saturating_sub(content.charge());
        }
    }
}

/// An inode that is held: it stays, though its names may go.
pub(crate) struct Handle {
    tree: Arc<Tree>,
    ino: Ino,
}

impl Handle {
    /// Holds an inode.
    pub(crate) fn new(tree: &Arc<Tree>, ino: Ino) -> Self {
        *tree.state.lock().opens.entry(ino).or_default() += 1;
        Self { tree: tree.clone(), ino }
    }

    pub(crate) fn tree(&self) -> &Arc<Tree> {
        &self.tree
    }

    pub(crate) fn ino(&self) -> Ino {
        self.ino
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let mut state = self.tree.state.lock();
        if let Some(opens) = state.opens.get_mut(&self.ino) {
            *opens -= 1;
            if *opens == 0 {
                state.opens.remove(&self.ino);
                state.forget_if_unused(self.ino);
            }
        }
    }
}
