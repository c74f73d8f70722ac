//! The variables of a shell, with those that functions keep to themselves.

use std::collections::BTreeMap;

/// What is wrong with giving a variable a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ReadOnly;

/// A variable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Var {
    /// Its value, if it is set.
    pub(super) value: Option<String>,
    /// Whether programs get it.
    pub(super) exported: bool,
    /// Whether it stays as it is.
    pub(super) readonly: bool,
}

/// The variables of a shell.
#[derive(Clone, Debug, Default)]
pub(super) struct Vars {
    known: BTreeMap<String, Var>,
    /// For each function that runs, what its own variables hid.
    hidden: Vec<Vec<(String, Option<Var>)>>,
    /// Bytes of names and values.
    size: usize,
}

impl Vars {
    /// Bytes of names and values.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// The value of a variable that is set.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.known.get(name)?.value.as_deref()
    }

    /// A variable.
    pub(super) fn find(&self, name: &str) -> Option<&Var> {
        self.known.get(name)
    }

    /// All variables, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.known.iter().map(|(name, var)| (name.as_str(), var))
    }

    /// What programs get.
    pub(super) fn exported(&self) -> Vec<(String, String)> {
        let exported = self.known.iter().filter(|(_, var)| var.exported);
        exported.filter_map(|(name, var)| Some((name.clone(), var.value.clone()?))).collect()
    }

    /// Changes a variable, made if it is not there.
    fn change(&mut self, name: &str, change: impl FnOnce(&mut Var)) {
        let var = self.known.entry(name.to_owned()).or_insert_with(|| {
            self.size += name.len() + 64;
            Var::default()
        });
        self.size -= var.value.as_ref().map_or(0, String::len);
        change(var);
        self.size += var.value.as_ref().map_or(0, String::len);
    }

    /// Gives a variable a value.
    pub(super) fn set(&mut self, name: &str, value: impl Into<String>) -> Result<(), ReadOnly> {
        self.writable(name)?;
        self.change(name, |var| var.value = Some(value.into()));
        Ok(())
    }

    /// Refuses a variable that stays as it is.
    pub(super) fn writable(&self, name: &str) -> Result<(), ReadOnly> {
        if self.known.get(name).is_some_and(|var| var.readonly) { Err(ReadOnly) } else { Ok(()) }
    }

    /// Programs get it from now on, or no longer.
    pub(super) fn export(&mut self, name: &str, exported: bool) {
        self.change(name, |var| var.exported = exported);
    }

    /// It stays as it is from now on.
    pub(super) fn freeze(&mut self, name: &str) {
        self.change(name, |var| var.readonly = true);
    }

    /// Forgets a variable.
    pub(super) fn unset(&mut self, name: &str) -> Result<(), ReadOnly> {
        self.writable(name)?;
        self.put(name, None);
        Ok(())
    }

    /// Puts a variable as it was, or away.
    fn put(&mut self, name: &str, var: Option<Var>) {
        self.size -= self.known.remove(name).map_or(0, |old| name.len() + 64 + old.value.map_or(0, |value| value.len()));
        if let Some(var) = var {
            self.change(name, |new| *new = var);
        }
    }

    /// A function begins; or a command with variables of its own.
    pub(super) fn enter(&mut self) {
        self.hidden.push(Vec::new());
    }

    /// It ends.
    pub(super) fn leave(&mut self) {
        for (name, var) in self.hidden.pop().unwrap_or_default().into_iter().rev() {
            self.size -= cost(&name, var.as_ref());
            self.put(&name, var);
        }
    }

    /// From now on the variable is the innermost function's own.
    pub(super) fn hide(&mut self, name: &str) {
        let Some(hidden) = self.hidden.last_mut() else { return };
        if hidden.iter().all(|(known, _)| known != name) {
            let var = self.known.get(name).cloned();
            self.size += cost(name, var.as_ref());
            hidden.push((name.to_owned(), var));
        }
    }
}

/// Bytes that a hidden variable takes.
fn cost(name: &str, var: Option<&Var>) -> usize {
    name.len() + 64 + var.and_then(|var| var.value.as_ref()).map_or(0, String::len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_function_hides_comes_back() {
        let mut vars = Vars::default();
        vars.set("a", "1").unwrap();
        let size = vars.size();
        vars.enter();
        vars.hide("a");
        vars.hide("b");
        vars.set("a", "a longer value").unwrap();
        vars.set("b", "2").unwrap();
        vars.export("a", true);
        assert_eq!(vars.exported(), [("a".to_owned(), "a longer value".to_owned())]);
        vars.leave();
        assert_eq!((vars.get("a"), vars.get("b"), vars.size()), (Some("1"), None, size));
        assert!(vars.exported().is_empty());
    }

    #[test]
    fn what_is_read_only_stays() {
        let mut vars = Vars::default();
        vars.set("a", "1").unwrap();
        vars.freeze("a");
        assert_eq!((vars.set("a", "2"), vars.unset("a")), (Err(ReadOnly), Err(ReadOnly)));
        assert_eq!(vars.get("a"), Some("1"));
    }
}
