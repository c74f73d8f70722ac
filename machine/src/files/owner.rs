//! Files as the owner of a container or a volume handles them: by path, as user 0, past what is mounted read-only.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    Credentials, Device, Entry, Image, Kind, Mode, Open, Space, Stat, Tree,
    deeds::Opened,
    view::{Asker, Last, View},
};
use crate::Errno;

/// Something to be put into a tree.
#[derive(Clone, Debug)]
pub struct Item {
    /// Where, from the root; directories on the way are made, for all to read.
    pub path: String,
    /// What.
    pub what: What,
    /// Permission bits; of a symlink they mean nothing.
    pub mode: Mode,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
}

/// What is put into a tree.
#[derive(Clone, Debug)]
pub enum What {
    /// A file. Its bytes are shared with whoever else has them, and not charged to the tree until they are written.
    File(Bytes),
    /// A directory; if there is one its mode and owner change.
    Directory,
    /// A symlink to this path.
    Symlink(String),
    /// A device.
    Device(Device),
}

impl Item {
    fn new(path: impl Into<String>, mode: Mode, what: What) -> Self {
        Self { path: path.into(), what, mode, uid: 0, gid: 0 }
    }

    /// A file.
    pub fn file(path: impl Into<String>, mode: Mode, bytes: impl Into<Bytes>) -> Self {
        Self::new(path, mode, What::File(bytes.into()))
    }

    /// A directory.
    pub fn directory(path: impl Into<String>, mode: Mode) -> Self {
        Self::new(path, mode, What::Directory)
    }

    /// A symlink.
    pub fn symlink(path: impl Into<String>, target: impl Into<String>) -> Self {
        Self::new(path, 0o777, What::Symlink(target.into()))
    }

    /// A device.
    pub fn device(path: impl Into<String>, mode: Mode, device: Device) -> Self {
        Self::new(path, mode, What::Device(device))
    }

    /// The same with an owner.
    #[must_use]
    pub fn owned_by(self, uid: u32, gid: u32) -> Self {
        Self { uid, gid, ..self }
    }
}

/// What could not be done, and with which path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {errno}")]
pub struct Trouble {
    /// The path.
    pub path: String,
    /// Why.
    #[source]
    pub errno: Errno,
}

/// Files in the hands of their owner.
#[derive(Clone)]
pub struct Files {
    view: Arc<View>,
}

const OWNER: Credentials = Credentials { uid: 0, gid: 0, groups: Vec::new() };
const ASKER: Asker<'static> = Asker { who: &OWNER, cwd: "/", pid: 0, work: None };

impl Tree {
    /// The files of this tree alone, without what is mounted into it somewhere.
    pub fn files(self: &Arc<Self>) -> Files {
        Files::new(Arc::new(View::new(self.clone(), false)))
    }
}

impl Image {
    /// An image of these things; what they change comes last.
    pub fn build(items: impl IntoIterator<Item = Item>, built: Timestamp) -> Result<Arc<Self>, Trouble> {
        Self::empty().extended(items, built)
    }

    /// This image and these things over it.
    pub fn extended(self: &Arc<Self>, items: impl IntoIterator<Item = Item>, built: Timestamp) -> Result<Arc<Self>, Trouble> {
        let tree = Tree::new(self.clone(), Space { bytes: u64::MAX, inodes: u64::MAX }, Arc::new(move || built));
        tree.files().put(items)?;
        Ok(tree.freeze())
    }
}

impl Files {
    pub(crate) fn new(view: Arc<View>) -> Self {
        Self { view }
    }

    /// What a path leads to.
    pub fn stat(&self, path: &str) -> Result<Stat, Errno> {
        self.view.find(ASKER, path, Last::Follow)?.stat()
    }

    /// The same of a symlink itself.
    pub fn lstat(&self, path: &str) -> Result<Stat, Errno> {
        self.view.find(ASKER, path, Last::Keep)?.stat()
    }

    /// Where a symlink leads.
    pub fn readlink(&self, path: &str) -> Result<String, Errno> {
        self.view.find(ASKER, path, Last::Keep)?.readlink()
    }

    /// The entries of a directory.
    pub fn list(&self, path: &str) -> Result<Vec<Entry>, Errno> {
        self.view.list(&self.view.find(ASKER, path, Last::Follow)?, 0)
    }

    /// The bytes of a file.
    pub fn read(&self, path: &str) -> Result<Bytes, Errno> {
        match self.view.open(ASKER, path, Open::READ, 0)? {
            Opened::File(file) => file.tree().read_whole(file.ino()),
            Opened::Made(bytes) => Ok(bytes),
            Opened::Directory(_) => Err(Errno::EISDIR),
            Opened::Device(_) | Opened::Fifo(..) | Opened::Descriptor(..) => Err(Errno::EINVAL),
        }
    }

    /// Puts things there, one after the other; what is in the way of a file, a symlink or a device is replaced.
    pub fn put(&self, items: impl IntoIterator<Item = Item>) -> Result<(), Trouble> {
        items.into_iter().try_for_each(|item| self.put_one(&item).map_err(|errno| Trouble { path: item.path.clone(), errno }))
    }

    fn put_one(&self, item: &Item) -> Result<(), Errno> {
        let path = format!("/{}", item.path.trim_start_matches('/'));
        if let Some((above, _)) = path.trim_end_matches('/').rsplit_once('/') {
            self.mkdir_all(above)?;
        }
        if !matches!(item.what, What::Directory) {
            match self.view.find(ASKER, &path, Last::Keep).and_then(|place| place.kind()) {
                Ok(Kind::Directory) => return Err(Errno::EISDIR),
                Ok(_) => self.view.unlink(ASKER, &path)?,
                Err(_) => {}
            }
        }
        match &item.what {
            What::File(bytes) => {
                let how = Open { create: Some(item.mode), exclusive: true, ..Open::WRITE };
                if let Opened::File(file) = self.view.open(ASKER, &path, how, 0)? {
                    file.tree().share(file.ino(), bytes.clone())?;
                }
            }
            What::Directory => match self.view.mkdir(ASKER, &path, item.mode) {
                Err(Errno::EEXIST) if self.stat(&path)?.kind == Kind::Directory => {}
                made => made?,
            },
            What::Symlink(target) => self.view.symlink(ASKER, target, &path)?,
            What::Device(device) => self.view.mkdev(ASKER, &path, *device, item.mode)?,
        }
        let place = self.view.find(ASKER, &path, Last::Keep)?;
        let (tree, ino) = place.node()?;
        tree.alter(ino, |node| (node.mode, node.uid, node.gid) = (item.mode & 0o7777, item.uid, item.gid))
    }

    /// Makes a directory and those on the way to it.
    fn mkdir_all(&self, path: &str) -> Result<(), Errno> {
        let mut at = String::new();
        for name in path.split('/').filter(|name| !name.is_empty()) {
            at.push('/');
            at.push_str(name);
            match self.view.mkdir(ASKER, &at, 0o755) {
                Ok(()) | Err(Errno::EEXIST) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    /// Removes a path and all below it; it is no error that it is not there.
    pub fn remove(&self, path: &str) -> Result<(), Errno> {
        let kind = match self.view.find(ASKER, path, Last::Keep).and_then(|place| place.kind()) {
            Ok(kind) => kind,
            Err(Errno::ENOENT) => return Ok(()),
            Err(errno) => return Err(errno),
        };
        if kind != Kind::Directory {
            return self.view.unlink(ASKER, path);
        }
        // Deepest first, without recursion: how deep it is was somebody else's choice.
        let mut found = vec![path.trim_end_matches('/').to_owned()];
        let mut at = 0;
        while at < found.len() {
            for entry in self.list(&found[at])?.into_iter().filter(|entry| entry.kind == Kind::Directory) {
                found.push(format!("{}/{}", found[at], entry.name));
            }
            at += 1;
        }
        for directory in found.iter().rev() {
            for entry in self.list(directory)? {
                self.view.unlink(ASKER, &format!("{directory}/{}", entry.name))?;
            }
            if !directory.is_empty() {
                self.view.rmdir(ASKER, directory)?;
            }
        }
        Ok(())
    }

    /// Publishes files below a directory so that readers see all old or all new ones: they are in a directory of their own, named
    /// `..` and `version`; the symlink `..data` leads there, and is replaced at once; and each name is a symlink through it.
    /// A version that is published already is left as it is.
    pub fn publish(&self, below: &str, version: &str, items: &[Item]) -> Result<(), Trouble> {
        let below = below.trim_end_matches('/');
        let (folder, data) = (format!("..{version}"), format!("{below}/..data"));
        let old = self.readlink(&data).ok();
        if old.as_deref() == Some(&folder) {
            return Ok(());
        }
        self.put(
            items.iter().map(|item| Item { path: format!("{below}/{folder}/{}", item.path.trim_start_matches('/')), ..item.clone() }),
        )?;
        let at = |path: &str| {
            let path = path.to_owned();
            move |errno| Trouble { path, errno }
        };
        let next = format!("{below}/..data_tmp");
        self.put([Item::directory(format!("{below}/{folder}"), 0o755), Item::symlink(&next, &folder)])?;
        self.view.rename(ASKER, &next, &data).map_err(at(&data))?;
        let names: BTreeMap<&str, ()> =
            items.iter().filter_map(|item| item.path.split('/').find(|name| !name.is_empty())).map(|name| (name, ())).collect();
        for name in names.keys() {
            let (path, target) = (format!("{below}/{name}"), format!("..data/{name}"));
            if self.readlink(&path).ok().as_deref() != Some(&target) {
                self.put([Item::symlink(path, target)])?;
            }
        }
        for entry in self.list(&format!("{below}/")).map_err(at(below))? {
            let path = format!("{below}/{}", entry.name);
            let is_stale = self.readlink(&path).is_ok_and(|target| target == format!("..data/{}", entry.name));
            if is_stale && !names.contains_key(entry.name.as_str()) {
                self.remove(&path).map_err(at(&path))?;
            }
        }
        match old.map(|old| format!("{below}/{old}")) {
            Some(old) => self.remove(&old).map_err(at(&old)),
            None => Ok(()),
        }
    }
}
