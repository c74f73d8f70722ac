//! Which plugins take part in which extension point: upstream's defaults, as `multiPoint` and the points themselves change them.
//! Here a plugin prepares with its own filter or score, so that preFilter and preScore cannot be had apart from those.

use serde::Deserialize;

use super::Invalid;
use crate::{
    extension::{
        Point::{self, Bind, Filter, PostFilter, PreEnqueue, PreFilter, PreScore, QueueSort, Score},
        extends, points,
    },
    plugins::PLUGINS,
};

/// Upstream's plugins that are no plugins here: they are built in, or nothing is asked for that they would give.
const BUILT_IN: [&str; 5] = ["SchedulingGates", "PrioritySort", "DefaultPreemption", "DefaultBinder", "DynamicResources"];

/// All plugins of a point, or of all points.
const ALL: &str = "*";

/// `plugins` of a profile.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Plugins {
    multi_point: PluginSet,
    pre_enqueue: PluginSet,
    queue_sort: PluginSet,
    pre_filter: PluginSet,
    filter: PluginSet,
    post_filter: PluginSet,
    pre_score: PluginSet,
    score: PluginSet,
    reserve: PluginSet,
    permit: PluginSet,
    pre_bind: PluginSet,
    bind: PluginSet,
    post_bind: PluginSet,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct PluginSet {
    enabled: Option<Vec<PluginRef>>,
    disabled: Option<Vec<PluginRef>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PluginRef {
    name: String,
    weight: Option<i32>,
}

/// A plugin that takes part, and how much its score counts.
type Enabled<'p> = (&'p str, i64);

/// What was chosen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) filters: Vec<usize>,
    pub(super) scorers: Vec<(usize, i64)>,
    pub(super) preempts: bool,
}

impl Plugins {
    /// What takes part in scheduling. `path` is where this stands in the file.
    pub(super) fn choose(&self, path: &str) -> Result<Chosen, Invalid> {
        let fixed = [("reserve", &self.reserve), ("permit", &self.permit), ("preBind", &self.pre_bind), ("postBind", &self.post_bind)];
        for (name, set) in fixed {
            if !set.enabled().is_empty() || !set.disabled().is_empty() {
                return Err(Invalid::new(format!("{path}.{name}"), "plugins cannot be chosen at this extension point"));
            }
        }
        self.multi_point.check(&format!("{path}.multiPoint"), None)?;
        let everywhere = self.everywhere();
        let at = |point: Point, name: &str, set: &PluginSet| {
            let place = format!("{path}.{name}");
            set.check(&place, Some((point, name)))?;
            Ok((set.at(point, &everywhere).into_iter().map(|(name, weight)| (name.to_owned(), weight)).collect::<Vec<_>>(), place))
        };
        for (point, name, set, needed) in [
            (PreEnqueue, "preEnqueue", &self.pre_enqueue, "SchedulingGates"),
            (QueueSort, "queueSort", &self.queue_sort, "PrioritySort"),
            (Bind, "bind", &self.bind, "DefaultBinder"),
        ] {
            let (enabled, place) = at(point, name, set)?;
            if !enabled.iter().any(|(name, _)| name == needed) {
                return Err(Invalid::new(place, format!("plugin {needed:?} is needed")));
            }
        }
        let (prepared, prepared_at) = at(PreFilter, "preFilter", &self.pre_filter)?;
        let (filters, _) = at(Filter, "filter", &self.filter)?;
        let (victims, _) = at(PostFilter, "postFilter", &self.post_filter)?;
        at(PreScore, "preScore", &self.pre_score)?;
        let (scorers, _) = at(Score, "score", &self.score)?;
        let unprepared = filters.iter().find(|(name, _)| extends(name, PreFilter) && !prepared.iter().any(|(other, _)| other == name));
        if let Some((name, _)) = unprepared {
            return Err(Invalid::new(prepared_at, format!("plugin {name:?} filters, and cannot do so without its preFilter")));
        }
        Ok(Chosen {
            filters: filters.iter().filter_map(|(name, _)| place_of(name)).collect(),
            scorers: scorers.iter().filter_map(|(name, weight)| Some((place_of(name)?, *weight))).collect(),
            preempts: victims.iter().any(|(name, _)| name == "DefaultPreemption"),
        })
    }

    /// What takes part wherever it can, unless a point says otherwise: the defaults that are not disabled, as they are
    /// configured, then what else is enabled.
    fn everywhere(&self) -> Vec<Enabled<'_>> {
        let set = &self.multi_point;
        let configured = |name: &str| set.enabled().iter().find(|plugin| plugin.name == name).map(PluginRef::enabled);
        let mut all: Vec<Enabled<'_>> = Vec::new();
        for (name, weight) in defaults().filter(|(name, _)| !set.disables(name)) {
            all.push(configured(name).unwrap_or((name, weight)));
        }
        let more: Vec<_> = set.enabled().iter().filter(|plugin| !all.iter().any(|(name, _)| *name == plugin.name)).collect();
        all.extend(more.into_iter().map(PluginRef::enabled));
        all
    }
}

impl PluginSet {
    fn enabled(&self) -> &[PluginRef] {
        self.enabled.as_deref().unwrap_or_default()
    }

    fn disabled(&self) -> &[PluginRef] {
        self.disabled.as_deref().unwrap_or_default()
    }

    fn disables(&self, name: &str) -> bool {
        self.disabled().iter().any(|plugin| plugin.name == name || plugin.name == ALL)
    }

    /// Whether all names are known, and can be at this point, which is any where none is given.
    fn check(&self, path: &str, point: Option<(Point, &str)>) -> Result<(), Invalid> {
        for (index, plugin) in self.disabled().iter().enumerate() {
            if plugin.name != ALL && points(&plugin.name).is_none() {
                return Err(Invalid::new(format!("{path}.disabled[{index}]"), format!("plugin {:?} does not exist", plugin.name)));
            }
        }
        for (index, PluginRef { name, weight }) in self.enabled().iter().enumerate() {
            let place = format!("{path}.enabled[{index}]");
            let Some(points) = points(name) else { return Err(Invalid::new(place, format!("plugin {name:?} does not exist"))) };
            if place_of(name).is_none() && !BUILT_IN.contains(&name.as_str()) {
                return Err(Invalid::new(place, format!("plugin {name:?} is not supported")));
            }
            if let Some((point, name_of_point)) = point
                && !points.contains(&point)
            {
                return Err(Invalid::new(place, format!("plugin {name:?} does not extend {name_of_point} plugin")));
            }
            if self.enabled()[..index].iter().any(|before| before.name == *name) {
                return Err(Invalid::new(place, format!("plugin {name:?} already registered")));
            }
            if weight.is_some_and(|weight| weight < 0) {
                return Err(Invalid::value(format!("{place}.weight"), weight.unwrap_or(0), "must not be negative"));
            }
        }
        Ok(())
    }

    /// Who takes part at a point: what it enables itself of those that take part everywhere, then the others of those, then what
    /// else it enables.
    fn at<'p>(&'p self, point: Point, everywhere: &[Enabled<'p>]) -> Vec<Enabled<'p>> {
        let is_everywhere = |name: &str| everywhere.iter().any(|(other, _)| *other == name);
        let (known, more): (Vec<_>, Vec<_>) = self.enabled().iter().map(PluginRef::enabled).partition(|(name, _)| is_everywhere(name));
        let named = |name: &str| self.enabled().iter().any(|plugin| plugin.name == name);
        let others = everywhere.iter().filter(|(name, _)| extends(name, point) && !self.disables(name) && !named(name));
        known.into_iter().chain(others.copied()).chain(more).collect()
    }
}

impl PluginRef {
    /// Without a weight it counts once, whatever it counts by default.
    fn enabled(&self) -> Enabled<'_> {
        (&self.name, self.weight.filter(|weight| *weight != 0).map_or(1, i64::from))
    }
}

/// What upstream enables, as far as it is here.
fn defaults() -> impl Iterator<Item = Enabled<'static>> {
    let plugins = PLUGINS.iter().map(|plugin| (plugin.name(), plugin.weight()));
    BUILT_IN.into_iter().map(|name| (name, 1)).chain(plugins)
}

fn place_of(name: &str) -> Option<usize> {
    PLUGINS.iter().position(|plugin| plugin.name() == name)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::profile::Profile;

    fn choose(plugins: Value) -> Result<Chosen, String> {
        serde_json::from_value::<Plugins>(plugins).unwrap().choose("plugins").map_err(|invalid| invalid.to_string())
    }

    /// The names of those that filter, and of those that score with their weights.
    fn chosen(plugins: Value) -> (String, String) {
        let Chosen { filters, scorers, .. } = choose(plugins).unwrap();
        let filters: Vec<_> = filters.iter().map(|index| PLUGINS[*index].name()).collect();
        let scorers: Vec<_> = scorers.iter().map(|(index, weight)| format!("{} {weight}", PLUGINS[*index].name())).collect();
        (filters.join(" "), scorers.join(", "))
    }

    #[test]
    fn by_default_each_takes_part_where_it_can() {
        let chosen = choose(json!({})).unwrap();
        let Profile { filters, scorers, preempts, .. } = Profile::default();
        assert_eq!(chosen, Chosen { filters, scorers, preempts });
    }

    #[test]
    fn points_and_multi_point_change_it() {
        let only_fit = json!({"disabled": [{"name": "*"}], "enabled": [{"name": "NodeResourcesFit"}]});
        let needed = json!([{"name": "SchedulingGates"}, {"name": "PrioritySort"}, {"name": "DefaultBinder"}, {"name": "NodeName"}]);
        let (filters, _) = chosen(json!({"filter": only_fit}));
        assert_eq!(filters, "NodeResourcesFit");
        assert_eq!(chosen(json!({"score": only_fit})).1, "NodeResourcesFit 1");
        assert_eq!(chosen(json!({"multiPoint": {"disabled": [{"name": "*"}], "enabled": needed}})), ("NodeName".to_owned(), String::new()));
        let fit_first = json!({"score": {"enabled": [{"name": "NodeResourcesFit", "weight": 7}]}});
        assert!(chosen(fit_first).1.starts_with("NodeResourcesFit 7, TaintToleration 3, NodeAffinity 2"));
        let heavier = json!({"multiPoint": {"enabled": [{"name": "NodeAffinity", "weight": 50}]}});
        assert!(chosen(heavier).1.starts_with("TaintToleration 3, NodeAffinity 50, NodeResourcesFit 1"));
        let no_taints =
            json!({"multiPoint": {"disabled": [{"name": "TaintToleration"}]}, "score": {"enabled": [{"name": "TaintToleration"}]}});
        let (filters, scores) = chosen(no_taints);
        assert!(!filters.contains("TaintToleration") && scores.ends_with("TaintToleration 1"), "{filters} {scores}");
        assert!(!choose(json!({"postFilter": {"disabled": [{"name": "DefaultPreemption"}]}})).unwrap().preempts);
        // All of upstream's, spelled out.
        let spelled: Vec<_> = defaults().map(|(name, weight)| json!({"name": name, "weight": weight})).collect();
        let spelled = json!({"multiPoint": {"disabled": [{"name": "*"}], "enabled": spelled}});
        assert_eq!(choose(spelled), choose(json!({})));
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let gates = "plugins.preEnqueue: plugin \"SchedulingGates\" is needed";
        for (plugins, want) in [
            (json!({"filter": {"enabled": [{"name": "Magic"}]}}), r#"plugins.filter.enabled[0]: plugin "Magic" does not exist"#),
            (json!({"filter": {"disabled": [{"name": "Magic"}]}}), r#"plugins.filter.disabled[0]: plugin "Magic" does not exist"#),
            (
                json!({"multiPoint": {"enabled": [{"name": "GangScheduling"}]}}),
                r#"plugins.multiPoint.enabled[0]: plugin "GangScheduling" is not supported"#,
            ),
            (
                json!({"score": {"enabled": [{"name": "NodeName"}]}}),
                r#"plugins.score.enabled[0]: plugin "NodeName" does not extend score plugin"#,
            ),
            (
                json!({"score": {"enabled": [{"name": "NodeAffinity"}, {"name": "NodeAffinity"}]}}),
                r#"plugins.score.enabled[1]: plugin "NodeAffinity" already registered"#,
            ),
            (
                json!({"score": {"enabled": [{"name": "NodeAffinity", "weight": -1}]}}),
                "plugins.score.enabled[0].weight: Invalid value: -1: must not be negative",
            ),
            (
                json!({"preFilter": {"disabled": [{"name": "NodePorts"}]}}),
                r#"plugins.preFilter: plugin "NodePorts" filters, and cannot do so without its preFilter"#,
            ),
            (json!({"preEnqueue": {"disabled": [{"name": "*"}]}}), gates),
            (json!({"multiPoint": {"disabled": [{"name": "*"}]}}), gates),
            (json!({"permit": {"enabled": [{"name": "X"}]}}), "plugins.permit: plugins cannot be chosen at this extension point"),
        ] {
            assert_eq!(choose(plugins.clone()).unwrap_err(), want, "{plugins}");
        }
    }
}
