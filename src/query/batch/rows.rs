//! The records of a batch, where they lie.

/// Records that follow one another, each with the bytes up to the next.
#[derive(Clone, Copy, Debug)]
pub(in crate::query) struct Run<'a> {
    bytes: &'a [u8],
    records: usize,
}

impl<'a> Run<'a> {
    /// A run of `bytes`, in which records begin every `stride` bytes.
    pub(in crate::query) fn new(bytes: &'a [u8], stride: usize) -> Self {
        Self { bytes, records: bytes.len() / stride }
    }

    pub(in crate::query) fn records(&self) -> usize {
        self.records
    }

    /// The bytes of the record at `index`, up to the next.
    pub(in crate::query) fn record(&self, index: usize, stride: usize) -> &'a [u8] {
        &self.bytes[index * stride..(index + 1) * stride]
    }
}

/// The records of a batch: one run, or several with records of the log between them.
#[derive(Clone, Copy)]
pub(in crate::query) struct Rows<'r, 'a> {
    runs: &'r [Run<'a>],
    stride: usize,
}

impl<'r, 'a> Rows<'r, 'a> {
    pub(in crate::query) fn new(runs: &'r [Run<'a>], stride: usize) -> Self {
        Self { runs, stride }
    }

    #[inline]
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// Calls `visit` with each run's bytes and its part of `lanes`, which has a byte for each
    /// record.
    #[inline]
    pub(super) fn each_run(self, lanes: &mut [u8], mut visit: impl FnMut(&'a [u8], &mut [u8])) {
        let mut rest = lanes;
        for run in self.runs {
            let (here, others) = rest.split_at_mut(run.records);
            visit(run.bytes, here);
            rest = others;
        }
    }

    /// Every record's bytes, up to the next.
    pub(in crate::query) fn records(self) -> impl Iterator<Item = &'a [u8]> {
        self.runs.iter().flat_map(move |run| run.bytes.chunks_exact(self.stride))
    }

    /// The records whose lane differs from `decided`.
    pub(super) fn undecided(self, lanes: &[u8], decided: u8) -> Vec<Run<'a>> {
        let mut found = Vec::new();
        let mut rest = lanes;
        for run in self.runs {
            let (here, others) = rest.split_at(run.records);
            let mut at = 0;
            while let Some(skipped) = here[at..].iter().position(|lane| *lane != decided) {
                let start = at + skipped;
                let records = here[start..].iter().position(|lane| *lane == decided);
                let records = records.unwrap_or(here.len() - start);
                at = start + records;
                let bytes = &run.bytes[start * self.stride..at * self.stride];
                found.push(Run { bytes, records });
            }
            rest = others;
        }
        found
    }
}
