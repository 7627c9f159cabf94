//! Declarations: how many instances there are, and what each of them says.

use std::collections::BTreeMap;

use hcl_edit::Span;
use hcl_edit::expr::Expression;

use super::evaluate::{Evaluation, Frame, Scope};
use super::expression::members;
use super::folder::Resource;
use super::function;
use super::policy_document;
use super::position::Spot;
use super::render;
use super::source::{Attribute, Block, Body, key_name};
use super::value::{Fault, References, Val, Valued};
use super::{INSTANCES_MAX, KEY_BYTES_MAX};
use crate::plan::{Declared, Intent, Language};
use crate::region::partition;

/// What says something about a resource and is no property of it.
const META_ARGUMENTS: [&str; 4] = ["count", "depends_on", "for_each", "provider"];
/// The same for blocks.
const META_BLOCKS: [&str; 3] = ["connection", "lifecycle", "provisioner"];
/// What a position costs, in bytes that are made.
const PLACE_BYTES: usize = 256;
/// The block that every provider has once, as an object.
const TIMEOUTS: &str = "timeouts";

/// A resource's instances, and the value that its name stands for.
pub(super) struct Expanded {
    pub value: Val,
    pub instances: Vec<Instance>,
}

/// One instance.
pub(super) struct Instance {
    address: String,
    properties: Val,
    places: BTreeMap<String, Spot>,
}

/// How many instances there are.
pub(super) enum Number {
    /// Neither `count` nor `for_each`.
    One,
    Count(usize),
    /// The keys, and what each of them stands for.
    Keys(Vec<(String, Val)>),
    /// Nobody knows; `each` tells whether it is by `for_each`.
    Unknown {
        each: bool,
        of: References,
    },
}

/// A name that holds in one instance: `count` or `each`.
type Binding = Option<(&'static str, Val)>;

/// For each instance, what stands after its address and the name that holds in it.
pub(super) fn bindings(number: &Number) -> Vec<(String, Binding)> {
    match number {
        Number::One => vec![(String::new(), None)],
        #[expect(clippy::cast_precision_loss, reason = "limited")]
        Number::Count(count) => (0..*count)
            .map(|at| (format!("[{at}]"), binding("count", [("index", Val::number(at as f64))])))
            .collect(),
        Number::Keys(keys) => keys
            .iter()
            .map(|(key, value)| {
                let escaped = key.replace('\\', "\\\\").replace('"', "\\\"");
                let named = Val::text(key.as_str()).unwrap_or_else(|_| Val::unknown());
                let pair = [("key", named), ("value", value.clone())];
                (format!("[\"{escaped}\"]"), binding("each", pair))
            })
            .collect(),
        Number::Unknown { each: true, of } => {
            let unknown = || Val::unknown_of(of.clone());
            vec![("[*]".to_owned(), binding("each", [("key", unknown()), ("value", unknown())]))]
        }
        Number::Unknown { each: false, .. } => {
            vec![("[*]".to_owned(), binding("count", [("index", Val::unknown())]))]
        }
    }
}

fn binding<const N: usize>(name: &'static str, pairs: [(&str, Val); N]) -> Binding {
    let entries = pairs.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    Some((name, Val::map(entries).unwrap_or_else(|_| Val::unknown())))
}

impl Evaluation<'_> {
    /// What `count` and `for_each` say.
    pub fn number_of(&mut self, body: &Body, scope: Scope<'_>, address: &str, at: Spot) -> Number {
        let number = match (body.attributes.get("count"), body.attributes.get("for_each")) {
            (Some(count), _) => self.count(count, scope),
            (None, Some(collection)) => self.keys(collection, scope),
            (None, None) => return Number::One,
        };
        if let Number::Unknown { .. } = number {
            let problem = format!(
                "how many instances of `{address}` there are is unknown; one stands for all"
            );
            self.note(Some(at), problem);
        }
        number
    }

    fn count(&mut self, attribute: &Attribute, scope: Scope<'_>) -> Number {
        let value = self.attribute(attribute, scope);
        match value.whole_number() {
            Some(count) if count <= INSTANCES_MAX => Number::Count(count),
            _ => {
                if !value.is_unknown() {
                    let problem = format!("`count` is no number from 0 to {INSTANCES_MAX}");
                    self.note(Some(attribute.at), problem);
                }
                Number::Unknown { each: false, of: value.all_references() }
            }
        }
    }

    fn keys(&mut self, attribute: &Attribute, scope: Scope<'_>) -> Number {
        let value = self.attribute(attribute, scope);
        let unknown = || Number::Unknown { each: true, of: value.all_references() };
        let members = match members(&value) {
            Ok(Some(members)) => members,
            Ok(None) => return unknown(),
            Err(fault) => {
                self.note(Some(attribute.at), fault.problem);
                return unknown();
            }
        };
        // A list is no set, but whoever wrote one meant its elements.
        let listed = value.items().is_some();
        let mut keys: BTreeMap<String, Val> = BTreeMap::new();
        for (key, member) in members {
            let key = if listed { &member } else { &key };
            let Some(name) = key.to_text().filter(|it| it.len() <= KEY_BYTES_MAX) else {
                return unknown();
            };
            keys.insert(name.to_string(), member.clone().with(&value.references));
        }
        if INSTANCES_MAX < keys.len() {
            let problem = format!("`for_each` has more than {INSTANCES_MAX} keys");
            self.note(Some(attribute.at), problem);
            return unknown();
        }
        Number::Keys(keys.into_iter().collect())
    }

    /// Evaluates the instances of a resource.
    pub fn expand(&mut self, module: usize, index: usize) -> Expanded {
        let folder = self.modules.get(module).map(|it| it.folder);
        let Some(resource) = folder.and_then(|it| it.resources.get(index)) else {
            return Expanded { value: Val::unknown(), instances: Vec::new() };
        };
        let address = self.address(module, index);
        let scope = Scope::of(module);
        let number = self.number_of(&resource.body, scope, &address, resource.at);
        let mut instances = Vec::new();
        for (suffix, binding) in bindings(&number) {
            let address = format!("{address}{suffix}");
            let instance = match binding {
                Some((name, value)) => {
                    let frame = Frame { name, value, outer: None };
                    self.instance(resource, address, scope.within(&frame))
                }
                None => self.instance(resource, address, scope),
            };
            instances.push(instance);
        }
        Expanded { value: value_of(&number, &instances), instances }
    }

    fn instance(&mut self, resource: &Resource, address: String, scope: Scope<'_>) -> Instance {
        let mut places = BTreeMap::new();
        let mut properties = self.properties(&resource.body, scope, "", &mut places);
        if resource.data {
            properties = self.read_data(resource, properties, scope);
        }
        Instance { address, properties, places }
    }

    /// What a body says: attributes that are set, and lists of blocks. `pointer` leads to it.
    fn properties(
        &mut self,
        body: &Body,
        scope: Scope<'_>,
        pointer: &str,
        places: &mut BTreeMap<String, Spot>,
    ) -> Val {
        let made = self.deeper(|it| it.body(body, scope, pointer, places));
        made.unwrap_or_else(|fault| {
            self.note(None, fault.problem);
            Val::unknown_of(fault.references)
        })
    }

    fn body(
        &mut self,
        body: &Body,
        scope: Scope<'_>,
        pointer: &str,
        places: &mut BTreeMap<String, Spot>,
    ) -> Valued {
        let top = pointer.is_empty();
        self.spend(PLACE_BYTES)?;
        let mut entries = BTreeMap::new();
        for (name, attribute) in &body.attributes {
            if top && META_ARGUMENTS.contains(&name.as_str()) {
                continue;
            }
            self.spend(PLACE_BYTES + pointer.len() + name.len())?;
            let value = self.attribute(attribute, scope);
            if !value.is_null() {
                let pointer = render::below(pointer, name);
                self.literal_places(&attribute.expression, &pointer, attribute.at.file, places)?;
                places.insert(pointer, attribute.at);
                entries.insert(name.clone(), value);
            }
        }
        for (kind, list) in self.blocks(body, scope, pointer, places) {
            let value = if top && kind == TIMEOUTS {
                list.into_iter().next().unwrap_or_else(Val::null)
            } else if list.is_empty() {
                continue;
            } else if list.iter().all(Val::is_unknown) {
                Val::unknown_of(function::references(&list))
            } else {
                Val::list(list)?
            };
            entries.entry(kind.to_owned()).or_insert(value);
        }
        self.made(Val::map(entries))
    }

    /// The blocks of a body by their type.
    fn blocks<'b>(
        &mut self,
        body: &'b Body,
        scope: Scope<'_>,
        pointer: &str,
        places: &mut BTreeMap<String, Spot>,
    ) -> BTreeMap<&'b str, Vec<Val>> {
        let mut blocks: BTreeMap<&str, Vec<Val>> = BTreeMap::new();
        for block in &body.blocks {
            let kind = block.makes();
            if pointer.is_empty() && META_BLOCKS.contains(&kind) {
                continue;
            }
            let list = blocks.entry(kind).or_default();
            if block.kind == "dynamic" {
                self.dynamic(block, kind, scope, pointer, list, places);
            } else {
                let pointer = render::below(&render::below(pointer, kind), list.len());
                places.insert(pointer.clone(), block.at);
                list.push(self.properties(&block.body, scope, &pointer, places));
            }
        }
        blocks
    }

    /// Adds the blocks that a dynamic block makes; one that is unknown, where their number is.
    fn dynamic(
        &mut self,
        block: &Block,
        kind: &str,
        scope: Scope<'_>,
        pointer: &str,
        list: &mut Vec<Val>,
        places: &mut BTreeMap<String, Spot>,
    ) {
        let collection = block.body.attributes.get("for_each");
        let collection = collection.map_or_else(Val::unknown, |it| self.attribute(it, scope));
        let content = block.body.blocks_of("content").next();
        let members = members(&collection).ok().flatten().filter(|it| it.len() <= INSTANCES_MAX);
        let (Some(members), Some(content)) = (members, content) else {
            self.note(Some(block.at), format!("how many blocks `{kind}` there are is unknown"));
            list.push(Val::unknown_of(collection.all_references()));
            return;
        };
        let iterator = block.body.attributes.get("iterator").map(|it| &it.expression);
        let iterator = match iterator {
            Some(Expression::Variable(name)) => name.as_str(),
            Some(Expression::String(name)) => name.as_str(),
            _ => kind,
        };
        for (key, value) in members {
            let value = value.with(&collection.references);
            let Some((_, value)) = binding("each", [("key", key), ("value", value)]) else {
                continue;
            };
            let frame = Frame { name: iterator, value, outer: scope.frame };
            let pointer = render::below(&render::below(pointer, kind), list.len());
            places.insert(pointer.clone(), block.at);
            list.push(self.properties(&content.body, scope.within(&frame), &pointer, places));
        }
    }

    /// The positions of what a literal list or object holds.
    fn literal_places(
        &mut self,
        expression: &Expression,
        pointer: &str,
        file: usize,
        places: &mut BTreeMap<String, Spot>,
    ) -> Result<(), Fault> {
        let spot =
            |start: Option<std::ops::Range<usize>>| start.map(|it| Spot { file, offset: it.start });
        match expression {
            Expression::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.spend(PLACE_BYTES + pointer.len())?;
                    let pointer = render::below(pointer, at);
                    self.literal_places(item, &pointer, file, places)?;
                    places.extend(spot(item.span()).map(|it| (pointer, it)));
                }
            }
            Expression::Object(object) => {
                for (key, value) in object.iter() {
                    self.spend(PLACE_BYTES + pointer.len())?;
                    let Some(name) = key_name(key) else { continue };
                    let pointer = render::below(pointer, name);
                    self.literal_places(value.expr(), &pointer, file, places)?;
                    let start = key.span().or(value.expr().span());
                    places.extend(spot(start).map(|it| (pointer, it)));
                }
            }
            Expression::Parenthesis(inner) => {
                self.literal_places(inner.inner(), pointer, file, places)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// What reading a data source adds to what its block says, where that is known without reading.
    fn read_data(&mut self, resource: &Resource, properties: Val, scope: Scope<'_>) -> Val {
        let Some(entries) = properties.entries() else { return properties };
        let mut entries = entries.clone();
        let is_default = self.has_default_provider(resource, scope);
        match resource.kind.as_str() {
            "aws_iam_policy_document" => {
                let json = policy_document::json(&properties);
                let json = self.or_unknown(json, resource.at);
                entries.insert("minified_json".to_owned(), json.clone());
                entries.insert("json".to_owned(), json);
            }
            "aws_region" if entries.contains_key("region") => {
                let region = entries.get("region").cloned().unwrap_or_else(Val::unknown);
                for name in ["id", "name"] {
                    entries.entry(name.to_owned()).or_insert_with(|| region.clone());
                }
            }
            // What another provider reads nobody tells.
            _ if !is_default => {}
            "aws_caller_identity" => {
                self.tell(&mut entries, &["account_id", "id"], |it| it.options.account.clone())
            }
            "aws_region" => {
                self.tell(&mut entries, &["id", "name", "region"], |it| it.region.clone());
            }
            "aws_partition" => self.tell(&mut entries, &["id", "partition"], |it| {
                let of_region = it.region.as_deref().map(partition).map(str::to_owned);
                it.options.partition.clone().or(of_region)
            }),
            _ => {}
        }
        Val::map(entries).unwrap_or_else(|fault| Val::unknown_of(fault.references))
    }

    /// Whether a resource is made by the provider `aws` that has no alias, as far as its modules
    /// tell.
    fn has_default_provider(&self, resource: &Resource, scope: Scope<'_>) -> bool {
        let is_default =
            |it: &Expression| matches!(it, Expression::Variable(name) if name.as_str() == "aws");
        let mut module = scope.module.and_then(|it| self.modules.get(it));
        while let Some(caller) = module.and_then(|it| it.caller.as_ref()) {
            // Where a call gives providers, the module has no others.
            let given = caller.call.body.attributes.get("providers");
            let is_passed = given.is_none_or(|it| {
                let providers = it.expression.as_object().into_iter().flat_map(|it| it.iter());
                let mut own = providers.filter(|(key, _)| key_name(key) == Some("aws"));
                own.any(|(_, value)| is_default(value.expr()))
            });
            if !is_passed {
                return false;
            }
            module = self.modules.get(caller.module);
        }
        resource.body.attributes.get("provider").is_none_or(|it| is_default(&it.expression))
    }

    /// Adds attributes that an option tells, unless the block says them.
    fn tell(
        &self,
        entries: &mut BTreeMap<String, Val>,
        names: &[&str],
        told: impl Fn(&Self) -> Option<String>,
    ) {
        let Some(value) = told(self).and_then(|it| Val::text(it).ok()) else { return };
        for name in names {
            entries.entry((*name).to_owned()).or_insert_with(|| value.clone());
        }
    }

    /// The instances of a resource as declarations.
    pub fn declare(&mut self, module: usize, index: usize) -> Vec<Declared> {
        let folder = self.modules.get(module).map(|it| it.folder);
        let Some(resource) = folder.and_then(|it| it.resources.get(index)) else {
            return Vec::new();
        };
        let expanded = match self.expanded(module, index) {
            Ok(expanded) => expanded,
            Err(fault) => {
                self.note(Some(resource.at), fault.problem);
                return Vec::new();
            }
        };
        let declared = expanded.instances.iter();
        declared.map(|it| self.declared(resource, it)).collect()
    }

    fn declared(&mut self, resource: &Resource, instance: &Instance) -> Declared {
        let properties = &instance.properties;
        let bytes = properties.bytes.saturating_add(render::pointers_bytes(properties, 0));
        let affordable = self.spend(bytes).is_ok();
        let rendered = if affordable {
            render::rendered(&instance.properties)
        } else {
            render::rendered(&Val::unknown())
        };
        let places = instance.places.iter();
        let places = places.filter_map(|(to, at)| Some((to.clone(), self.folders.place(*at)?)));
        Declared {
            language: Language::Terraform,
            kind: resource.kind.clone(),
            address: instance.address.clone(),
            properties: rendered.value,
            unknown: rendered.unknown,
            references: rendered.references,
            drafts: rendered.drafts,
            intent: if resource.data { Intent::Read } else { Intent::Create },
            before: None,
            at: self.folders.place(resource.at),
            places: places.collect(),
        }
    }
}

/// What the name of a resource stands for.
fn value_of(number: &Number, instances: &[Instance]) -> Val {
    let values = instances.iter().map(|it| Val::instance(&it.address, &it.properties));
    let value = match number {
        Number::One => Ok(values.into_iter().next().unwrap_or_else(Val::unknown)),
        Number::Count(_) => Val::list(values.collect()),
        Number::Keys(keys) => {
            Val::map(keys.iter().map(|(name, _)| name.clone()).zip(values).collect())
        }
        Number::Unknown { .. } => {
            let all: Vec<Val> = values.collect();
            Ok(Val::unknown_of(function::references(&all)))
        }
    };
    value.unwrap_or_else(|fault| Val::unknown_of(fault.references))
}
