//! Which lines a declaration takes, as far as its positions tell: from its first line to the last
//! one in which a property of it begins.

use quell_core::plan::{Place, Plan, cloudformation};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// The declarations of a plan, by file and first line.
#[derive(Debug, Default)]
pub struct Blocks<'a>(BTreeMap<(&'a str, usize), Block>);

#[derive(Debug)]
struct Block {
    last: usize,
    /// Whether what it stands for is declared elsewhere.
    is_elsewhere: bool,
}

impl<'a> Blocks<'a> {
    /// Those of a plan.
    pub fn of(plan: &'a Plan) -> Blocks<'a> {
        let mut blocks = BTreeMap::new();
        for it in &plan.declared {
            let Some(at) = &it.at else { continue };
            let places = it.places.values().filter(|it| it.file == at.file);
            let last = places.map(|it| it.line).chain([at.line]).max().unwrap_or(at.line);
            let is_elsewhere = cloudformation::is_elsewhere(&it.kind);
            // Several instances, and what a transform generates, are written in one place.
            let block: &mut Block =
                blocks.entry((at.file.as_str(), at.line)).or_insert(Block { last, is_elsewhere });
            block.last = block.last.max(last);
        }
        Blocks(blocks)
    }

    /// The lines of the declaration that a place lies in.
    pub fn around(&self, place: &Place) -> Option<RangeInclusive<usize>> {
        self.block(place).map(|(first, it)| first..=it.last)
    }

    /// Whether a place lies in a declaration that is all there is of what it declares.
    pub fn is_whole(&self, place: &Place) -> bool {
        self.block(place).is_some_and(|(_, it)| !it.is_elsewhere)
    }

    fn block<'b>(&'b self, place: &'b Place) -> Option<(usize, &'b Block)> {
        let end = (place.file.as_str(), place.line);
        let ((file, first), block) = self.0.range(..=end).next_back()?;
        (*file == place.file && place.line <= block.last).then_some((*first, block))
    }
}
