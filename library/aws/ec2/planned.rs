//! Security groups in infrastructure code: rules inline, or as declarations of their own.
//!
//! Every rule becomes one rule per source, as EC2 keeps them. A source that is not known yet may be
//! the world, unless it is a security group, whichever that will be. A rule whose ports are not
//! known is left out, and what the group lets in is then unknown beyond the other rules.

use super::security_group::{INGRESS, PREFIX_LISTS, TYPE, rule_json};
use crate::aws::planned::{self, Draft, Link, Property, Types, Whole};
use quell_core::change::element_id;
use quell_core::facts::net::exposure::IngressRule;
use quell_core::plan::{Declared, Intent, Plan, Told};
use quell_core::resource::Planned;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

const DEFAULT_GROUP: &str = "aws_default_security_group";

static GROUPS: Types = Types {
    whole: &["aws_security_group", DEFAULT_GROUP, TYPE],
    names: &["/id", "/GroupId"],
    parts: &[
        Link::one("aws_security_group_rule", "/security_group_id"),
        Link::one("aws_vpc_security_group_ingress_rule", "/security_group_id"),
        Link::one("AWS::EC2::SecurityGroupIngress", "/GroupId"),
    ],
};

/// Prefix lists, and entries of them that are declarations of their own.
static MANAGED_LISTS: Types = Types {
    whole: &["aws_ec2_managed_prefix_list", "AWS::EC2::PrefixList"],
    names: &["/id", "/PrefixListId"],
    parts: &[Link::one("aws_ec2_managed_prefix_list_entry", "/prefix_list_id")],
};

/// How a form of rules names what a rule consists of.
struct Form {
    protocol: &'static str,
    from: &'static str,
    to: &'static str,
    description: &'static str,
    /// Each with what the source is.
    sources: &'static [(&'static str, Source)],
}

#[derive(Clone, Copy)]
enum Source {
    Ipv4,
    Ipv6,
    PrefixList,
    Group,
    /// A network that is not known yet.
    Later,
}

/// `ingress` of `aws_security_group`, and `aws_security_group_rule`.
static LISTS: Form = Form {
    protocol: "protocol",
    from: "from_port",
    to: "to_port",
    description: "description",
    sources: &[
        ("cidr_blocks", Source::Ipv4),
        ("ipv6_cidr_blocks", Source::Ipv6),
        ("prefix_list_ids", Source::PrefixList),
        ("security_groups", Source::Group),
        ("source_security_group_id", Source::Group),
    ],
};

/// `aws_vpc_security_group_ingress_rule`.
static SINGLE: Form = Form {
    protocol: "ip_protocol",
    from: "from_port",
    to: "to_port",
    description: "description",
    sources: &[
        ("cidr_ipv4", Source::Ipv4),
        ("cidr_ipv6", Source::Ipv6),
        ("prefix_list_id", Source::PrefixList),
        ("referenced_security_group_id", Source::Group),
    ],
};

/// `SecurityGroupIngress`, inline and as a type.
static CLOUDFORMATION: Form = Form {
    protocol: "IpProtocol",
    from: "FromPort",
    to: "ToPort",
    description: "Description",
    sources: &[
        ("CidrIp", Source::Ipv4),
        ("CidrIpv6", Source::Ipv6),
        ("SourcePrefixListId", Source::PrefixList),
        ("SourceSecurityGroupId", Source::Group),
        ("SourceSecurityGroupName", Source::Group),
    ],
};

/// The rules of a group, and whether they are all of them.
#[derive(Default)]
struct Rules {
    found: Vec<Value>,
    is_partial: bool,
}

/// The groups that are declared, whole or in part. Of one of which only rules for what it lets out
/// are declared, nothing is judged.
pub fn groups(plan: &Plan) -> Vec<Planned> {
    let lets_in = |it: &Whole<'_>| it.own.is_some() || it.parts.iter().any(|it| is_ingress(it));
    let mut groups = planned::join(plan, &GROUPS);
    groups.retain(lets_in);
    let lists = known_lists(plan);
    groups.iter().map(|it| group(plan, &lists, it)).collect()
}

fn group(plan: &Plan, lists: &BTreeMap<String, Vec<String>>, whole: &Whole<'_>) -> Planned {
    let mut draft = Draft::default();
    let mut rules = inline(whole, &mut draft);
    let separate = whole.parts.iter().copied().filter(|it| is_ingress(it));
    for part in separate.clone() {
        take_away(part, &mut rules, &mut draft);
    }
    for part in separate.filter(|it| it.intent != Intent::Delete) {
        take(part, "", form(part), &mut rules, &mut draft);
    }
    let mut seen = std::collections::BTreeSet::new();
    rules.found.retain(|it| seen.insert(element_id(it)));
    draft.set(PREFIX_LISTS, Property::Is(prefix_lists(lists, &rules.found)), None);
    let found = Value::Array(rules.found);
    let rules = if rules.is_partial { Property::AtLeast(found) } else { Property::Is(found) };
    draft.set(INGRESS, rules, None);
    let name = whole.own.and_then(|own| {
        let known = ["/name", "/GroupName"].iter().find_map(|it| own.properties.pointer(it));
        known.filter(|it| it.is_string())
    });
    draft.set("GroupName", name.map_or(Property::Unknown, |it| Property::Is(it.clone())), None);
    draft.set("VpcId", Property::Unknown, None);
    let region = whole.own.and_then(|it| it.properties.get("region")?.as_str());
    let resource = planned::reference(plan, TYPE, whole.name(GROUPS.names), region);
    draft.done(whole, resource)
}

/// The rules in the group's own declaration. A new group has none where it declares none, and the
/// default group, once it is declared, has exactly those that are.
fn inline(whole: &Whole<'_>, draft: &mut Draft) -> Rules {
    let Some(own) = whole.own else { return Rules { found: Vec::new(), is_partial: true } };
    let (at, form) = match own.kind.as_str() {
        TYPE => ("/SecurityGroupIngress", &CLOUDFORMATION),
        _ => ("/ingress", &LISTS),
    };
    let mut rules = Rules { found: Vec::new(), is_partial: whole.is_unsure };
    match own.told(at) {
        Told::Unknown => rules.is_partial = true,
        Told::Absent => rules.is_partial |= !whole.is_new() && own.kind != DEFAULT_GROUP,
        Told::Value(Value::Array(list)) => {
            for number in 0..list.len() {
                take(own, &format!("{at}/{number}"), form, &mut rules, draft);
            }
        }
        Told::Value(Value::Object(_)) => take(own, at, form, &mut rules, draft),
        Told::Value(_) => rules.is_partial = true,
    }
    rules
}

/// How a rule that is a declaration of its own is written.
fn form(part: &Declared) -> &'static Form {
    match part.kind.as_str() {
        "aws_security_group_rule" => &LISTS,
        "aws_vpc_security_group_ingress_rule" => &SINGLE,
        _ => &CLOUDFORMATION,
    }
}

/// What an existing group lists of a rule that is a declaration of its own, and goes, or goes to be
/// another, is not there after deployment. That comes before any such rule is taken: one may be
/// declared anew under another address.
fn take_away(part: &Declared, rules: &mut Rules, draft: &mut Draft) {
    let Some(before) = part.before.as_ref().filter(|it| it.is_object()) else { return };
    let past = Declared { properties: before.clone(), unknown: Default::default(), ..part.clone() };
    let mut gone = Rules::default();
    take(&past, "", form(part), &mut gone, &mut Draft::default());
    let gone: Vec<String> = gone.found.iter().map(bare).collect();
    rules.found.retain(|it| {
        let stays = !gone.contains(&bare(it));
        if !stays {
            draft.forget(&element_id(it));
        }
        stays
    });
}

/// Whether a rule that is a declaration of its own is about what comes in, or may be.
fn is_ingress(part: &Declared) -> bool {
    part.last().get("type").and_then(Value::as_str).is_none_or(|it| it == "ingress")
}

/// A rule without its note, which a group lists in another way.
fn bare(rule: &Value) -> String {
    let fields = rule.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| *name != "Description");
    element_id(&fields.map(|(name, it)| (name.clone(), it.clone())).collect::<Map<_, _>>().into())
}

/// Takes the rule at a pointer: one for each of its sources.
fn take(from: &Declared, at: &str, form: &Form, rules: &mut Rules, draft: &mut Draft) {
    let told = |name: &str| from.told(&format!("{at}/{name}"));
    let sources = sources(from, at, form);
    let only_groups = sources.iter().all(|it| matches!(it.kind, Source::Group));
    let known = (number(told(form.from)), number(told(form.to)), protocol(told(form.protocol)));
    let (Some(from_port), Some(to_port), Some(ip_protocol)) = known else {
        rules.is_partial |= !only_groups;
        return;
    };
    let description = told(form.description).value().and_then(Value::as_str);
    let is_only = sources.len() == 1;
    for Found { source, kind, pointer } in sources {
        let mut rule = IngressRule {
            ip_protocol: ip_protocol.clone(),
            from_port,
            to_port,
            description: description.filter(|it| !it.is_empty()).map(str::to_owned),
            ..IngressRule::default()
        };
        let slot = match kind {
            Source::Ipv4 => &mut rule.cidr_ip,
            Source::Ipv6 => &mut rule.cidr_ipv6,
            Source::PrefixList => &mut rule.source_prefix_list_id,
            Source::Group => &mut rule.source_security_group_id,
            Source::Later => &mut rule.source_not_known,
        };
        *slot = Some(source);
        let rule = rule_json(&rule);
        draft.from(&element_id(&rule), from, at);
        // A rule goes with its last source.
        draft.writes(&element_id(&rule), from, if is_only { at } else { &pointer });
        rules.found.push(rule);
    }
}

/// A source of a rule, and where it is written.
struct Found {
    source: String,
    kind: Source,
    pointer: String,
}

/// The sources of a rule. One that is not known yet goes by what it will be made of.
fn sources(from: &Declared, at: &str, form: &Form) -> Vec<Found> {
    let mut found = Vec::new();
    for (name, kind) in form.sources {
        let pointer = format!("{at}/{name}");
        match from.told(&pointer) {
            Told::Absent => {}
            Told::Unknown => found.push(later(from, pointer, *kind)),
            Told::Value(Value::Array(list)) => {
                for (number, it) in list.iter().enumerate() {
                    let pointer = format!("{pointer}/{number}");
                    found.push(match it.as_str() {
                        Some(it) => Found { source: it.to_owned(), kind: *kind, pointer },
                        None => later(from, pointer, *kind),
                    });
                }
            }
            Told::Value(it) => {
                let known = it.as_str().filter(|it| !it.is_empty()).map(str::to_owned);
                found.extend(known.map(|source| Found { source, kind: *kind, pointer }));
            }
        }
    }
    found
}

/// A prefix list that is declared, too, is looked up by its address; a group is a group.
fn later(from: &Declared, pointer: String, kind: Source) -> Found {
    let refers = from.referred(&pointer);
    let kind = match (kind, refers) {
        (Source::Group, _) | (Source::PrefixList, [_]) => kind,
        _ => Source::Later,
    };
    Found { source: refers.first().unwrap_or(&from.address).clone(), kind, pointer }
}

/// A port; CloudFormation takes it as a text, too. `None` where it is unknown.
fn number(told: Told<'_>) -> Option<Option<i32>> {
    match told {
        Told::Unknown => None,
        Told::Absent => Some(None),
        Told::Value(Value::String(it)) => it.trim().parse().ok().map(Some),
        Told::Value(it) => i32::try_from(it.as_i64()?).ok().map(Some),
    }
}

/// A protocol by name or number; EC2 knows `all` as `-1`.
fn protocol(told: Told<'_>) -> Option<String> {
    match told {
        Told::Value(Value::String(it)) if it.eq_ignore_ascii_case("all") => Some("-1".to_owned()),
        Told::Value(Value::String(it)) => Some(it.to_ascii_lowercase()),
        Told::Value(Value::Number(it)) => Some(it.to_string()),
        _ => None,
    }
}

/// The entries of those prefix lists that rules name, and that are known.
fn prefix_lists(known: &BTreeMap<String, Vec<String>>, rules: &[Value]) -> Value {
    let used = rules.iter().filter_map(|it| it.get("SourcePrefixListId")?.as_str());
    json!(used.filter_map(|id| Some((id, known.get(id)?))).collect::<BTreeMap<_, _>>())
}

/// The entries of the prefix lists that are declared, or read, and known: by id, and by address,
/// where there is no id yet.
fn known_lists(plan: &Plan) -> BTreeMap<String, Vec<String>> {
    let mut known = BTreeMap::new();
    let mut take = |list: &Declared, cidrs: Vec<String>| {
        let ids = MANAGED_LISTS.names.iter().filter_map(|it| list.properties.pointer(it)?.as_str());
        for name in ids.chain([list.address.as_str()]) {
            known.insert(name.to_owned(), cidrs.clone());
        }
    };
    let is_read = |it: &&Declared| it.intent == Intent::Read && it.kind.contains("prefix_list");
    for list in plan.declared.iter().filter(is_read) {
        if let Some(cidrs) = entries(list, false) {
            take(list, cidrs);
        }
    }
    for whole in planned::join(plan, &MANAGED_LISTS).iter().filter(|it| !it.is_unsure) {
        let Some(list) = whole.own else { continue };
        let apart = whole.parts.iter().filter(|it| it.intent != Intent::Delete);
        let apart: Option<Vec<String>> =
            apart.map(|it| Some(it.told("/cidr").value()?.as_str()?.to_owned())).collect();
        if let (Some(cidrs), Some(apart)) = (entries(list, whole.is_new()), apart) {
            take(list, [cidrs, apart].concat());
        }
    }
    known
}

/// The CIDRs in a prefix list's own declaration; `None` where they are not known. A new one has
/// none where it declares none.
fn entries(list: &Declared, is_new: bool) -> Option<Vec<String>> {
    let forms = [("/entry", "cidr"), ("/entries", "cidr"), ("/Entries", "Cidr")];
    let declared = forms.into_iter().find(|(at, _)| list.told(at) != Told::Absent);
    let Some((at, cidr)) = declared else { return is_new.then(Vec::new) };
    let entries = list.told(at).value()?.as_array().filter(|_| list.is_whole(at))?;
    entries.iter().map(|it| Some(it.get(cidr)?.as_str()?.to_owned())).collect()
}
