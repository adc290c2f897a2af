package catalog

import "context"

// EnterPassages is enterPassages.
func EnterPassages(ctx context.Context, tx *Tx, document string, versions []VersionPassages) error {
	return enterPassages(ctx, tx, document, versions)
}

// DeletePassages is deletePassages.
func DeletePassages(ctx context.Context, tx *Tx, document string) error {
	return deletePassages(ctx, tx, document)
}

// SearchQuery returns the statement of a filter.
func (db *DB) SearchQuery(f SearchFilter) (string, []any, error) { return f.query(db.dialect, false) }

// SearchFrequent reports whether a filter's passages are walked.
func (db *DB) SearchFrequent(ctx context.Context, f SearchFilter) (bool, error) {
	return db.frequent(ctx, &f)
}
