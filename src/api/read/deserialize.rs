//! A serde `Deserializer` over the tree. Its errors know the innermost node that they speak of.

use std::fmt;

use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use super::hint::{self, shorten};
use super::shape::Marks;
use super::stand_in::StandIn;
use super::tree::{Entry, NodeId, Scalar, Style, Tree, Value};

/// Why a node does not become the value that is wanted there.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The innermost place.
    pub at: Option<At>,
    pub problem: Problem,
}

/// Where a refusal happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    /// At what was written.
    Node(NodeId),
    /// At what stands in for something that is missing or wrong.
    StandIn(Origin),
}

/// What a stand-in stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A node that was refused.
    Node(NodeId),
    /// A field that the mapping does not have.
    Field(NodeId, &'static str),
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// The mapping lacks this field.
    Missing(&'static str),
    /// The key is none of these fields.
    Unknown { found: String, fields: &'static [&'static str] },
    /// The key is one too many.
    Surplus(String),
    /// A secret is written out.
    LiteralSecret,
    /// Anything else.
    Other(String),
}

impl Refusal {
    fn new(at: NodeId, message: impl Into<String>) -> Self {
        Self { at: Some(At::Node(at)), problem: Problem::Other(message.into()) }
    }

    fn of(problem: Problem) -> Self {
        Self { at: None, problem }
    }
}

impl de::Error for Refusal {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::of(Problem::Other(message.to_string()))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::of(Problem::Missing(field))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::of(Problem::Unknown { found: field.to_owned(), fields: expected })
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("found {found}; expected {expected}"))
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("found {found}; expected {expected}"))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.problem)
    }
}

impl std::error::Error for Refusal {}

/// A node on its way to become a value.
#[derive(Clone, Copy)]
pub(super) struct NodeDeserializer<'t> {
    pub tree: &'t Tree,
    pub marks: &'t Marks,
    pub id: NodeId,
}

impl<'t> NodeDeserializer<'t> {
    fn child(self, id: NodeId) -> Self {
        Self { id, ..self }
    }

    fn value(self) -> &'t Value {
        &self.tree.node(self.id).value
    }

    /// What stands in for this node, where it was refused before.
    fn stand_in(self) -> Option<StandIn> {
        let attempt = self.marks.refused.get(&self.id)?;
        Some(StandIn { origin: Origin::Node(self.id), attempt: *attempt })
    }

    fn here<T>(self, result: Result<T, Refusal>) -> Result<T, Refusal> {
        let place = match self.stand_in() {
            None => At::Node(self.id),
            Some(stand_in) => At::StandIn(stand_in.origin),
        };
        result.map_err(|refusal| Refusal { at: refusal.at.or(Some(place)), ..refusal })
    }

    /// What `seed` makes of this node. Units refuse a text only after they have got it, so the place
    /// of their errors is told here.
    fn give<'de, T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refusal> {
        self.here(seed.deserialize(self))
    }

    fn refuse<T>(self, message: impl Into<String>) -> Result<T, Refusal> {
        Err(Refusal::new(self.id, message))
    }

    fn scalar(self, expected: &str) -> Result<&'t Scalar, Refusal> {
        match self.value() {
            Value::Scalar(scalar) => Ok(scalar),
            Value::List(_) => self.refuse(format!("found a list; expected {expected}")),
            Value::Map(_) => self.refuse(format!("found a mapping; expected {expected}")),
        }
    }

    fn integer<T: TryFrom<i128>>(self, least: i128, most: i128) -> Result<T, Refusal> {
        let scalar = self.scalar("a whole number")?;
        let number = scalar.integer(least, most).or_else(|message| self.refuse(message))?;
        T::try_from(number).or_else(|_| self.refuse(format!("found {scalar}; expected a smaller number")))
    }

    /// The one entry of a mapping that stands for an enum.
    fn only_variant(self, entries: &[Entry], variants: &[&str]) -> Result<Entry, Refusal> {
        let name = |entry: &Entry| self.tree.text(entry.key).map_or("", |text| text);
        let kept: Vec<_> =
            entries.iter().copied().filter(|entry| !self.marks.dropped.contains(&entry.key)).collect();
        match kept.as_slice() {
            [] => self.refuse(format!("found an empty mapping; expected {}", hint::list(variants, "or"))),
            [only] => Ok(*only),
            [first, .., last] => {
                let surplus = kept.iter().rfind(|entry| !variants.contains(&name(entry))).unwrap_or(last);
                let other = if surplus.key == first.key { last } else { first };
                let (surplus_name, other_name) = (shorten(name(surplus)), shorten(name(other)));
                let message = if variants.contains(&name(surplus)) {
                    format!("found `{surplus_name}` beside `{other_name}`; keep one of them")
                } else {
                    let known = hint::list(variants, "or");
                    format!("found `{surplus_name}` beside `{other_name}`; expected one field: {known}")
                };
                Err(Refusal { at: Some(At::Node(surplus.key)), problem: Problem::Surplus(message) })
            }
        }
    }

    fn visit_map<'de, V: Visitor<'de>>(self, entries: &'t [Entry], visitor: V) -> Result<V::Value, Refusal> {
        let added = self.marks.added.get(&self.id).map_or(&[][..], Vec::as_slice);
        self.here(visitor.visit_map(Fields {
            map: self,
            entries: entries.iter(),
            added: added.iter(),
            value: None,
        }))
    }
}

/// What a node is called in a message.
fn described(value: &Value) -> String {
    match value {
        Value::Scalar(scalar) => scalar.to_string(),
        Value::List(_) => "a list".to_owned(),
        Value::Map(_) => "a mapping".to_owned(),
    }
}

macro_rules! integers {
    ($($method:ident $visit:ident $type:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
            if let Some(stand_in) = self.stand_in() {
                return stand_in.$method(visitor);
            }
            let number = self.integer::<$type>(<$type>::MIN.into(), <$type>::MAX.into())?;
            self.here(visitor.$visit(number))
        }
    )*};
}

impl<'de> de::Deserializer<'de> for NodeDeserializer<'_> {
    type Error = Refusal;

    integers! {
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
    }

    /// For types that take anything: the core schema decides.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        match self.value() {
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Map(_) => self.deserialize_map(visitor),
            Value::Scalar(scalar) if scalar.is_null() => self.here(visitor.visit_unit()),
            Value::Scalar(scalar) if scalar.style == Style::Plain => {
                let result = if let Ok(it) = scalar.boolean() {
                    visitor.visit_bool(it)
                } else if let Ok(it) = scalar.integer(i64::MIN.into(), i64::MAX.into()) {
                    visitor.visit_i64(i64::try_from(it).unwrap_or_default())
                } else if let Ok(it) = scalar.number() {
                    visitor.visit_f64(it)
                } else {
                    visitor.visit_str(&scalar.text)
                };
                self.here(result)
            }
            Value::Scalar(scalar) => self.here(visitor.visit_str(&scalar.text)),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        if let Some(stand_in) = self.stand_in() {
            return stand_in.deserialize_bool(visitor);
        }
        let truth = self.scalar("`true` or `false`")?.boolean().or_else(|message| self.refuse(message))?;
        self.here(visitor.visit_bool(truth))
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        if let Some(stand_in) = self.stand_in() {
            return stand_in.deserialize_f64(visitor);
        }
        let number = self.scalar("a number")?.number().or_else(|message| self.refuse(message))?;
        self.here(visitor.visit_f64(number))
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_str(visitor)
    }

    /// Text is taken as it was written, be it `+2` or `123`; but nothing is no text.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        if let Some(stand_in) = self.stand_in() {
            return stand_in.deserialize_str(visitor);
        }
        let scalar = self.scalar("text")?;
        if scalar.is_null() {
            return self.refuse(format!("found {scalar}; expected text"));
        }
        self.here(visitor.visit_str(&scalar.text))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_str(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_str(visitor)
    }

    /// A field with nothing behind its colon is a field that is not there, as in Kubernetes.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        if self.marks.refused.contains_key(&self.id) {
            return visitor.visit_none();
        }
        match self.value() {
            Value::Scalar(scalar) if scalar.is_null() => self.here(visitor.visit_none()),
            _ => self.here(visitor.visit_some(self)),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        self.here(visitor.visit_unit())
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.here(visitor.visit_unit())
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.here(visitor.visit_newtype_struct(self))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        if let Some(stand_in) = self.stand_in() {
            return stand_in.deserialize_seq(visitor);
        }
        match self.value() {
            Value::List(items) => self.here(visitor.visit_seq(Items { list: self, items: items.iter() })),
            Value::Scalar(scalar) if scalar.is_null() => {
                self.refuse("found nothing; expected a list, as in `[…]`")
            }
            Value::Scalar(scalar) => {
                self.refuse(format!("found {scalar}; expected a list: `[{}]`", shorten(&scalar.text)))
            }
            Value::Map(_) => self.refuse("found a mapping; expected a list, each item with `- ` before it"),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Refusal> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        if let Some(stand_in) = self.stand_in() {
            return stand_in.deserialize_map(visitor);
        }
        match self.value() {
            Value::Map(entries) => self.visit_map(entries, visitor),
            other => self
                .refuse(format!("found {}; expected a mapping, as in `{{name: value}}`", described(other))),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        if let Some(stand_in) = self.stand_in() {
            return stand_in.deserialize_struct(name, fields, visitor);
        }
        match self.value() {
            Value::Map(entries) => self.visit_map(entries, visitor),
            other => {
                let fields = hint::abridged(fields, "and");
                self.refuse(format!(
                    "found {}; expected a mapping with the fields {fields}",
                    described(other)
                ))
            }
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        if let Some(stand_in) = self.stand_in() {
            return stand_in.deserialize_enum(name, variants, visitor);
        }
        let is_secret = name == "Secret";
        let (key, content) = match self.value() {
            Value::Scalar(_) if is_secret => {
                return Err(Refusal { at: Some(At::Node(self.id)), problem: Problem::LiteralSecret });
            }
            Value::Scalar(_) => (self.id, None),
            Value::Map(entries) => {
                let entry = self.only_variant(entries, variants)?;
                (entry.key, Some(entry.value))
            }
            Value::List(_) => {
                return self.refuse(format!("found a list; expected {}", hint::list(variants, "or")));
            }
        };
        let found = self.tree.text(key).map_or("", |text| text);
        let Some(variant) = variants.iter().copied().find(|variant| *variant == found) else {
            return Err(Refusal::new(key, unknown_variant(&self.child(key), found, variants)));
        };
        self.here(visitor.visit_enum(Variant { of: self, variant, key, content }))
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        let text = self.tree.text(self.id).map_or("", |text| text);
        self.here(visitor.visit_str(text))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Refusal> {
        visitor.visit_unit()
    }
}

fn unknown_variant(at: &NodeDeserializer<'_>, found: &str, variants: &[&str]) -> String {
    let quoted = match at.value() {
        Value::Scalar(scalar) if scalar.style == Style::Block && scalar.text.trim().is_empty() => {
            return format!(
                "YAML reads this sign as the start of a text; quote it, as in `\"{}\"`",
                variants[0]
            );
        }
        Value::Scalar(scalar) => scalar.to_string(),
        other => described(other),
    };
    if let Some(right) = variants.iter().find(|variant| variant.eq_ignore_ascii_case(found)) {
        return format!("found {quoted}; write `{right}`");
    }
    let expected = hint::list(variants, "or");
    match hint::guess(found, variants.iter().copied()) {
        Some(guess) => format!("found {quoted}; did you mean `{guess}`? Expected {expected}"),
        None => format!("found {quoted}; expected {expected}"),
    }
}

/// The items of a list.
struct Items<'t> {
    list: NodeDeserializer<'t>,
    items: std::slice::Iter<'t, NodeId>,
}

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Refusal;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Refusal> {
        self.items.next().map(|id| self.list.child(*id).give(seed)).transpose()
    }
}

/// The fields of a mapping: those written, without unknown ones, then stand-ins for missing ones.
struct Fields<'t> {
    map: NodeDeserializer<'t>,
    entries: std::slice::Iter<'t, Entry>,
    added: std::slice::Iter<'t, (&'static str, usize)>,
    value: Option<FieldValue>,
}

enum FieldValue {
    Written(NodeId),
    Added(StandIn),
}

impl<'de> de::MapAccess<'de> for Fields<'_> {
    type Error = Refusal;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Refusal> {
        let map = self.map;
        if let Some(entry) = self.entries.find(|entry| !map.marks.dropped.contains(&entry.key)) {
            self.value = Some(FieldValue::Written(entry.value));
            return seed.deserialize(map.child(entry.key)).map(Some);
        }
        let Some((field, attempt)) = self.added.next() else { return Ok(None) };
        self.value =
            Some(FieldValue::Added(StandIn { origin: Origin::Field(map.id, field), attempt: *attempt }));
        seed.deserialize((*field).into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Refusal> {
        match self.value.take() {
            Some(FieldValue::Written(id)) => self.map.child(id).give(seed),
            Some(FieldValue::Added(stand_in)) => stand_in.give(seed),
            None => Err(de::Error::custom("a value was asked for before its key")),
        }
    }
}

/// One of several variants: `Name`, or `{name: content}`.
struct Variant<'t> {
    of: NodeDeserializer<'t>,
    variant: &'static str,
    key: NodeId,
    content: Option<NodeId>,
}

impl<'t> Variant<'t> {
    fn content(&self) -> Result<NodeDeserializer<'t>, Refusal> {
        match self.content {
            Some(content) => Ok(self.of.child(content)),
            None => {
                let name = self.variant;
                Err(Refusal::new(self.key, format!("`{name}` needs a value of its own: `{name}: …`")))
            }
        }
    }
}

impl<'de, 't> de::EnumAccess<'de> for Variant<'t> {
    type Error = Refusal;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Refusal> {
        let name: de::value::StrDeserializer<'_, Refusal> = self.variant.into_deserializer();
        seed.deserialize(name).map(|value| (value, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_> {
    type Error = Refusal;

    fn unit_variant(self) -> Result<(), Refusal> {
        match self.content {
            None => Ok(()),
            Some(_) => self.of.refuse(format!("found a mapping; write `{}`", self.variant)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Refusal> {
        self.content()?.give(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Refusal> {
        de::Deserializer::deserialize_tuple(self.content()?, length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Refusal> {
        de::Deserializer::deserialize_struct(self.content()?, self.variant, fields, visitor)
    }
}
