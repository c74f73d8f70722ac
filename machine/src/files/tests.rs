//! Paths, permissions, layers and mounts, tried.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    Credentials, Device, Image, Item, Kind, Open, Space, Tree,
    deeds::Opened,
    generated::{Generated, Made},
    view::{Asker, Last, Source, View},
};
use crate::{Errno, kernel::Pid};

static ROOT: Credentials = Credentials { uid: 0, gid: 0, groups: Vec::new() };
static USER: Credentials = Credentials { uid: 1000, gid: 1000, groups: Vec::new() };

fn asker(who: &Credentials) -> Asker<'_> {
    Asker { who, cwd: "/home", pid: 5, work: None }
}

fn image() -> Arc<Image> {
    let items = [
        Item::file("/home/a", 0o644, "aaa"),
        Item::file("/home/secret", 0o600, "shh"),
        Item::file("/home/deep/b", 0o644, "bbb"),
        Item::symlink("/home/to-a", "a"),
        Item::symlink("/home/to-deep", "/home/deep"),
        Item::symlink("/home/loop", "loop"),
        Item::symlink("/home/dangling", "made-later"),
        Item::symlink("/home/up", "../home/deep/.."),
        Item::directory("/home/private", 0o700),
        Item::file("/home/private/p", 0o644, "p"),
        Item::directory("/tmp", 0o1777),
        Item::file("/tmp/roots", 0o666, "r"),
        Item::file("/tmp/users", 0o644, "u").owned_by(1000, 1000),
        Item::directory("/home/own", 0o755).owned_by(1000, 1000),
        Item::directory("/empty", 0o755),
        Item::device("/dev/null", 0o666, Device::Null),
    ];
    Image::build(items, Timestamp::UNIX_EPOCH).unwrap()
}

fn tree_of(image: Arc<Image>, space: Space) -> Arc<Tree> {
    Tree::new(image, space, Arc::new(|| Timestamp::from_second(100).unwrap()))
}

fn tree() -> Arc<Tree> {
    tree_of(image(), Space::default())
}

fn read(view: &View, who: &Credentials, path: &str) -> Result<String, Errno> {
    match view.open(asker(who), path, Open::READ, 0)? {
        Opened::File(file) => Ok(String::from_utf8(file.tree().read_whole(file.ino())?.to_vec()).unwrap()),
        Opened::Made(bytes) => Ok(String::from_utf8(bytes.to_vec()).unwrap()),
        Opened::Directory(_) => Ok("directory".into()),
        Opened::Device(_) => Ok("device".into()),
        Opened::Fifo(..) => Ok("fifo".into()),
        Opened::Descriptor(pid, fd) => Ok(format!("descriptor {pid} {fd}")),
    }
}

fn write(view: &View, who: &Credentials, path: &str, text: &str) -> Result<usize, Errno> {
    match view.open(asker(who), path, Open::WRITE, 0o022)? {
        Opened::File(file) => file.tree().write_at(file.ino(), None, text.as_bytes()).map(|(_, count)| count),
        _ => Ok(0),
    }
}

#[test]
fn paths_lead_where_linux_says() {
    let view = View::new(tree(), false);
    let long = "x".repeat(256);
    let longer = "y/".repeat(2100);
    for (path, expected) in [
        ("/home/a", Ok("/home/a")),
        ("a", Ok("/home/a")),
        ("./a", Ok("/home/a")),
        ("//home///a", Ok("/home/a")),
        ("/home/../home/./a", Ok("/home/a")),
        ("/../../home/a", Ok("/home/a")),
        ("deep/..", Ok("/home")),
        ("to-a", Ok("/home/a")),
        ("to-deep/b", Ok("/home/deep/b")),
        ("to-deep/../a", Ok("/home/a")),
        ("up/a", Ok("/home/a")),
        ("deep/", Ok("/home/deep")),
        ("/", Ok("/")),
        ("", Err(Errno::ENOENT)),
        ("nothing", Err(Errno::ENOENT)),
        ("nothing/a", Err(Errno::ENOENT)),
        ("dangling", Err(Errno::ENOENT)),
        ("a/", Err(Errno::ENOTDIR)),
        ("a/b", Err(Errno::ENOTDIR)),
        ("a/..", Err(Errno::ENOTDIR)),
        ("to-a/x", Err(Errno::ENOTDIR)),
        ("loop", Err(Errno::ELOOP)),
        ("loop/x", Err(Errno::ELOOP)),
        (long.as_str(), Err(Errno::ENAMETOOLONG)),
        (longer.as_str(), Err(Errno::ENAMETOOLONG)),
    ] {
        let got = view.walk(asker(&ROOT), path, Last::Follow).and_then(|walk| {
            let path = walk.path();
            walk.found().map(|_| path)
        });
        assert_eq!(got.as_deref().map_err(|errno| *errno), expected, "{path}");
    }
    assert_eq!(view.find(asker(&ROOT), "to-a", Last::Keep).unwrap().kind(), Ok(Kind::Symlink));
    assert_eq!(view.find(asker(&ROOT), "to-deep/", Last::Keep).unwrap().kind(), Ok(Kind::Directory), "a slash follows");
    assert_eq!(view.find(asker(&ROOT), "loop", Last::Keep).unwrap().readlink(), Ok("loop".into()));
}

#[test]
fn who_may_what() {
    let view = View::new(tree(), false);
    let user = asker(&USER);
    type Deed<'a> = (&'a str, Box<dyn Fn() -> Result<(), Errno> + 'a>, Result<(), Errno>);
    let deeds: Vec<Deed<'_>> = vec![
        ("read a", Box::new(|| read(&view, &USER, "a").map(drop)), Ok(())),
        ("read a secret", Box::new(|| read(&view, &USER, "secret").map(drop)), Err(Errno::EACCES)),
        ("write a", Box::new(|| write(&view, &USER, "a", "x").map(drop)), Err(Errno::EACCES)),
        ("enter private", Box::new(|| read(&view, &USER, "private/p").map(drop)), Err(Errno::EACCES)),
        ("list private", Box::new(|| read(&view, &USER, "private").map(drop)), Err(Errno::EACCES)),
        ("make here", Box::new(|| view.mkdir(user, "x", 0o755)), Err(Errno::EACCES)),
        ("make in own", Box::new(|| view.mkdir(user, "own/x", 0o755)), Ok(())),
        ("make again", Box::new(|| view.mkdir(user, "own/x", 0o755)), Err(Errno::EEXIST)),
        ("remove it", Box::new(|| view.rmdir(user, "own/x/")), Ok(())),
        ("write to tmp", Box::new(|| write(&view, &USER, "/tmp/new", "x").map(drop)), Ok(())),
        ("write another's that all may", Box::new(|| write(&view, &USER, "/tmp/roots", "x").map(drop)), Ok(())),
        ("remove another's from tmp", Box::new(|| view.unlink(user, "/tmp/roots")), Err(Errno::EPERM)),
        ("move another's in tmp", Box::new(|| view.rename(user, "/tmp/roots", "/tmp/mine")), Err(Errno::EPERM)),
        ("remove own from tmp", Box::new(|| view.unlink(user, "/tmp/users")), Ok(())),
        ("chmod own", Box::new(|| view.chmod(user, "/tmp/new", 0o600)), Ok(())),
        ("chmod another's", Box::new(|| view.chmod(user, "a", 0o666)), Err(Errno::EPERM)),
        ("give away", Box::new(|| view.chown(user, "/tmp/new", Some(0), None, Last::Follow)), Err(Errno::EPERM)),
        ("execute what nobody may", Box::new(|| view.executable(asker(&ROOT), "a").map(drop)), Err(Errno::EACCES)),
        ("execute a directory", Box::new(|| view.executable(asker(&ROOT), "deep").map(drop)), Err(Errno::EACCES)),
        ("root may all", Box::new(|| write(&view, &ROOT, "private/p", "x").map(drop)), Ok(())),
    ];
    for (name, deed, expected) in deeds {
        assert_eq!(deed(), expected, "{name}");
    }
}

#[test]
fn names_are_made_moved_and_removed() {
    let view = View::new(tree(), false);
    let root = asker(&ROOT);
    type Deed<'a> = (&'a str, Box<dyn Fn() -> Result<(), Errno> + 'a>, Result<(), Errno>);
    let deeds: Vec<Deed<'_>> = vec![
        ("mkdir of root", Box::new(|| view.mkdir(root, "/", 0o755)), Err(Errno::EEXIST)),
        ("mkdir in nothing", Box::new(|| view.mkdir(root, "no/x", 0o755)), Err(Errno::ENOENT)),
        ("mkdir in a file", Box::new(|| view.mkdir(root, "a/x", 0o755)), Err(Errno::ENOTDIR)),
        ("mkdir with a slash", Box::new(|| view.mkdir(root, "new/", 0o755)), Ok(())),
        ("rmdir of a file", Box::new(|| view.rmdir(root, "a")), Err(Errno::ENOTDIR)),
        ("rmdir of what is full", Box::new(|| view.rmdir(root, "deep")), Err(Errno::ENOTEMPTY)),
        ("rmdir of .", Box::new(|| view.rmdir(root, "new/.")), Err(Errno::EINVAL)),
        ("rmdir of nothing", Box::new(|| view.rmdir(root, "no")), Err(Errno::ENOENT)),
        ("rmdir of root", Box::new(|| view.rmdir(root, "/")), Err(Errno::EBUSY)),
        ("unlink of a directory", Box::new(|| view.unlink(root, "deep")), Err(Errno::EISDIR)),
        ("unlink of nothing", Box::new(|| view.unlink(root, "no")), Err(Errno::ENOENT)),
        ("unlink of a symlink", Box::new(|| view.unlink(root, "to-deep")), Ok(())),
        ("link of a directory", Box::new(|| view.link(root, "deep", "deeper")), Err(Errno::EPERM)),
        ("link over a name", Box::new(|| view.link(root, "a", "secret")), Err(Errno::EEXIST)),
        ("link", Box::new(|| view.link(root, "a", "deep/also-a")), Ok(())),
        ("move a directory into itself", Box::new(|| view.rename(root, "deep", "deep/x")), Err(Errno::EINVAL)),
        ("move over its parent", Box::new(|| view.rename(root, "deep/b", "/home")), Err(Errno::ENOTEMPTY)),
        ("move a file over a directory", Box::new(|| view.rename(root, "a", "new")), Err(Errno::EISDIR)),
        ("move a directory over a file", Box::new(|| view.rename(root, "new", "a")), Err(Errno::ENOTDIR)),
        ("move a directory over a full one", Box::new(|| view.rename(root, "new", "deep")), Err(Errno::ENOTEMPTY)),
        ("move a directory over an empty one", Box::new(|| view.rename(root, "deep", "new/")), Ok(())),
        ("move a file to a slash", Box::new(|| view.rename(root, "a", "b/")), Err(Errno::ENOTDIR)),
        ("move to itself", Box::new(|| view.rename(root, "a", "a")), Ok(())),
        ("move over a file", Box::new(|| view.rename(root, "new/b", "a")), Ok(())),
        ("move a symlink", Box::new(|| view.rename(root, "to-a", "link")), Ok(())),
        ("move of nothing", Box::new(|| view.rename(root, "no", "yes")), Err(Errno::ENOENT)),
        ("symlink to nothing", Box::new(|| view.symlink(root, "", "s")), Err(Errno::ENOENT)),
    ];
    for (name, deed, expected) in deeds {
        assert_eq!(deed(), expected, "{name}");
    }
    assert_eq!(read(&view, &ROOT, "a").unwrap(), "bbb");
    assert_eq!(read(&view, &ROOT, "link").unwrap(), "bbb");
    assert_eq!(read(&view, &ROOT, "new/also-a").unwrap(), "aaa", "the other name of what was replaced");
    assert_eq!(view.find(root, "/home", Last::Keep).unwrap().stat().unwrap().links, 5, "own, private and new are in it");
    assert_eq!(write(&view, &ROOT, "dangling", "now"), Ok(3));
    assert_eq!(read(&view, &ROOT, "made-later").unwrap(), "now", "a symlink to nothing is followed when a file is made");
    let exclusive = view.open(root, "dangling", Open::NEW, 0);
    assert!(matches!(exclusive, Err(Errno::EEXIST)), "but not if it must be new");
}

#[test]
fn what_is_open_outlives_its_name() {
    let tree = tree_of(image(), Space { bytes: 10, inodes: 100 });
    let view = View::new(tree.clone(), false);
    let Opened::File(file) = view.open(asker(&ROOT), "new", Open::WRITE, 0).unwrap() else { panic!("a file") };
    file.tree().write_at(file.ino(), None, b"12345").unwrap();
    view.unlink(asker(&ROOT), "new").unwrap();
    assert_eq!(read(&view, &ROOT, "new"), Err(Errno::ENOENT));
    assert_eq!(&file.tree().read_whole(file.ino()).unwrap()[..], b"12345");
    assert_eq!(file.tree().stat(file.ino()).unwrap().links, 0);
    assert_eq!(tree.used().bytes, 5);
    drop(file);
    assert_eq!(tree.used().bytes, 0, "with the last who had it open it is gone");
}

#[test]
fn writers_copy_what_others_share() {
    let image = image();
    let (one, two) = (tree_of(image.clone(), Space::default()), tree_of(image, Space::default()));
    let (first, second) = (View::new(one.clone(), false), View::new(two.clone(), false));
    assert_eq!(one.used(), Space { bytes: 0, inodes: 0 });
    let Opened::File(file) = first.open(asker(&ROOT), "a", Open { truncate: false, ..Open::WRITE }, 0).unwrap() else { panic!("a file") };
    file.tree().write_at(file.ino(), Some(1), b"X").unwrap();
    assert_eq!(one.used().bytes, 3, "all of the file is its own now");
    first.unlink(asker(&ROOT), "deep/b").unwrap();
    first.chmod(asker(&ROOT), "secret", 0o644).unwrap();
    assert_eq!((read(&first, &ROOT, "a").unwrap(), read(&second, &ROOT, "a").unwrap()), ("aXa".into(), "aaa".into()));
    assert_eq!((read(&first, &USER, "secret"), read(&second, &USER, "secret")), (Ok("shh".into()), Err(Errno::EACCES)));
    assert_eq!((read(&first, &ROOT, "deep/b"), read(&second, &ROOT, "deep/b")), (Err(Errno::ENOENT), Ok("bbb".into())));
    assert_eq!(two.used(), Space { bytes: 0, inodes: 0 }, "who only reads has nothing of its own");
    let again = View::new(tree_of(one.freeze(), Space::default()), false);
    assert_eq!((read(&again, &ROOT, "a").unwrap(), read(&again, &ROOT, "deep/b")), ("aXa".into(), Err(Errno::ENOENT)), "an image of it");
}

#[test]
fn space_ends() {
    let tree = tree_of(image(), Space { bytes: 10, inodes: 8 });
    let view = View::new(tree.clone(), false);
    let Opened::File(file) = view.open(asker(&ROOT), "new", Open::WRITE, 0).unwrap() else { panic!("a file") };
    let write = |at, bytes: &[u8]| file.tree().write_at(file.ino(), at, bytes).map(|(_, count)| count);
    assert_eq!(write(None, b"123456"), Ok(6));
    assert_eq!(write(None, b"7890abc"), Ok(4), "what fits is written");
    assert_eq!(write(None, b"x"), Err(Errno::ENOSPC));
    assert_eq!(write(Some(0), b"y"), Ok(1), "what is there already may change");
    assert_eq!(write(Some(1 << 60), b"y"), Err(Errno::ENOSPC));
    assert_eq!(tree.truncate(file.ino(), 1 << 60), Err(Errno::ENOSPC));
    assert_eq!(tree.truncate(file.ino(), 9), Ok(()));
    let Opened::File(shared) = view.open(asker(&ROOT), "a", Open { truncate: false, ..Open::WRITE }, 0).unwrap() else { panic!("a file") };
    assert_eq!(shared.tree().write_at(shared.ino(), Some(0), b"z"), Err(Errno::ENOSPC), "there is no room for the copy");
    assert_eq!(tree.truncate(file.ino(), 0), Ok(()));
    assert_eq!(shared.tree().write_at(shared.ino(), Some(0), b"z"), Ok((1, 1)));
    let made = (0..20).take_while(|name| view.mkdir(asker(&ROOT), &format!("d{name}"), 0o755).is_ok()).count();
    assert!(made < 8, "{made}");
    assert_eq!(view.mkdir(asker(&ROOT), "more", 0o755), Err(Errno::ENOSPC));
    view.rmdir(asker(&ROOT), "d0").unwrap();
    assert_eq!(view.mkdir(asker(&ROOT), "more", 0o755), Ok(()));
    let links = (0..100).take_while(|name| view.link(asker(&ROOT), "a", &format!("l{name}")).is_ok()).count();
    assert!(links < 8, "names are bounded as inodes are: {links}");
}

fn mount(view: &mut View, path: &str, tree: &Arc<Tree>, inner: &str, read_only: bool) -> Result<(), Errno> {
    view.mount(path, Source::Tree(tree.clone()), inner, read_only, ("tmpfs", "tmpfs"))
}

#[test]
fn volumes_are_mounted_over_paths() {
    let volume = tree_of(
        Image::build([Item::file("/sub/f", 0o644, "volume"), Item::file("/g", 0o644, "g")], Timestamp::UNIX_EPOCH).unwrap(),
        Space::default(),
    );
    let (mut one, mut two) = (View::new(tree(), false), View::new(tree(), true));
    mount(&mut one, "/empty", &volume, "/", false).unwrap();
    mount(&mut two, "/home/to-deep", &volume, "/sub", true).unwrap();
    mount(&mut two, "/home/a", &volume, "/g", true).unwrap();
    assert_eq!(mount(&mut two, "/home/a", &volume, "/", true), Err(Errno::ENOTDIR));
    assert_eq!(mount(&mut two, "/home", &volume, "/g", true), Err(Errno::EISDIR));
    assert_eq!(mount(&mut two, "/nowhere", &volume, "/", true), Err(Errno::ENOENT));
    let root = asker(&ROOT);
    assert_eq!(read(&one, &ROOT, "/empty/sub/f").unwrap(), "volume");
    assert_eq!(read(&two, &ROOT, "/home/deep/f").unwrap(), "volume", "the symlink was followed");
    assert_eq!(read(&two, &ROOT, "deep/b"), Err(Errno::ENOENT), "what was there is hidden");
    assert_eq!(read(&two, &ROOT, "deep/../secret").unwrap(), "shh", "the way up leads out");
    write(&one, &ROOT, "/empty/sub/f", "changed").unwrap();
    assert_eq!(read(&two, &ROOT, "deep/f").unwrap(), "changed", "it is shared");
    assert_eq!(write(&two, &ROOT, "deep/f", "x"), Err(Errno::EROFS));
    assert_eq!(two.mkdir(root, "deep/x", 0o755), Err(Errno::EROFS));
    assert_eq!(two.mkdir(root, "/x", 0o755), Err(Errno::EROFS), "the root is read-only");
    assert_eq!(two.unlink(root, "/home/secret"), Err(Errno::EROFS));
    assert_eq!(two.chmod(root, "/home/secret", 0o644), Err(Errno::EROFS));
    assert_eq!(read(&two, &ROOT, "a").unwrap(), "g", "a file over a file");
    assert_eq!(one.rmdir(root, "/empty"), Err(Errno::EBUSY));
    assert_eq!(one.rename(root, "/home/a", "/empty/a"), Err(Errno::EXDEV));
    assert_eq!(one.link(root, "/home/a", "/empty/a"), Err(Errno::EXDEV));
    // The file that is mounted stays the one it was, as bind mounts do.
    volume.files().put([Item::file("/g", 0o644, "other")]).unwrap();
    assert_eq!(read(&two, &ROOT, "a").unwrap(), "g");
    assert_eq!(read(&one, &ROOT, "/empty/g").unwrap(), "other");
}

struct Fake;

impl Generated for Fake {
    fn make(&self, asker: Pid, path: &str) -> Option<Made> {
        match path {
            "" => Some(Made::Directory(vec!["self".into(), "5".into()])),
            "self" => Some(Made::Link(asker.to_string())),
            "5" => Some(Made::Directory(vec!["name".into(), "fd".into()])),
            "5/name" => Some(Made::File(b"five".to_vec())),
            "5/fd" => Some(Made::Directory(vec!["1".into()])),
            "5/fd/1" => Some(Made::Descriptor(5, 1)),
            _ => None,
        }
    }
}

#[test]
fn generated_files_are_made_when_they_are_read() {
    let mut view = View::new(tree(), false);
    view.mount("/empty", Source::Generated(Arc::new(Fake)), "/", false, ("proc", "proc")).unwrap();
    let root = asker(&ROOT);
    assert_eq!(read(&view, &ROOT, "/empty/self/name").unwrap(), "five");
    assert_eq!(read(&view, &ROOT, "/empty/self/fd/1").unwrap(), "descriptor 5 1");
    let names: Vec<String> =
        view.list(&view.find(root, "/empty", Last::Follow).unwrap(), 5).unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["self", "5"]);
    assert_eq!(write(&view, &ROOT, "/empty/5/name", "x"), Err(Errno::EACCES));
    assert_eq!(view.mkdir(root, "/empty/x", 0o755), Err(Errno::EROFS));
    assert_eq!(view.unlink(root, "/empty/5/name"), Err(Errno::EROFS));
    assert_eq!(view.chmod(root, "/empty/5", 0o700), Err(Errno::EROFS));
    assert_eq!(read(&view, &ROOT, "/empty/6"), Err(Errno::ENOENT));
}

#[test]
fn what_is_published_changes_at_once() {
    let volume = tree_of(Image::empty(), Space { bytes: 0, inodes: 100 });
    let files = volume.files();
    let mut view = View::new(tree(), false);
    mount(&mut view, "/empty", &volume, "/", true).unwrap();
    files.publish("/", "one", &[Item::file("a", 0o644, "1"), Item::file("dir/b", 0o600, "1")]).unwrap();
    assert_eq!(read(&view, &ROOT, "/empty/a").unwrap(), "1");
    assert_eq!(read(&view, &ROOT, "/empty/dir/b").unwrap(), "1");
    assert_eq!((files.readlink("/a"), files.readlink("/..data")), (Ok("..data/a".into()), Ok("..one".into())));
    files.publish("/", "two", &[Item::file("a", 0o644, "2"), Item::file("c", 0o644, "2")]).unwrap();
    assert_eq!(read(&view, &ROOT, "/empty/a").unwrap(), "2");
    assert_eq!(read(&view, &ROOT, "/empty/dir/b"), Err(Errno::ENOENT));
    let names: Vec<String> = files.list("/").unwrap().into_iter().map(|entry| entry.name).collect();
    assert_eq!(names, ["..data", "..two", "a", "c"]);
    assert_eq!(volume.used().bytes, 0, "what is published is shared and not charged");
    assert_eq!(write(&view, &ROOT, "/empty/a", "x"), Err(Errno::EROFS));
    files.remove("/..two").unwrap();
    assert_eq!(read(&view, &ROOT, "/empty/a"), Err(Errno::ENOENT));
}

#[test]
fn owners_put_and_remove() {
    let tree = tree();
    let files = tree.files();
    files
        .put([Item::file("/x/y/z", 0o640, "z").owned_by(7, 8), Item::directory("/home/private", 0o711), Item::symlink("/home/a", "b")])
        .unwrap();
    let stat = files.stat("/x/y/z").unwrap();
    assert_eq!((stat.mode, stat.uid, stat.gid, stat.size), (0o640, 7, 8, 1));
    assert_eq!((files.stat("/home/private").unwrap().mode, files.readlink("/home/a")), (0o711, Ok("b".into())));
    assert_eq!(files.put([Item::file("/home", 0o644, "")]).unwrap_err().to_string(), "/home: Is a directory");
    assert_eq!(files.put([Item::file("/dev/null/x", 0o644, "")]).unwrap_err().errno, Errno::ENOTDIR);
    files.remove("/home").unwrap();
    files.remove("/home").unwrap();
    assert_eq!(files.stat("/home"), Err(Errno::ENOENT));
}
