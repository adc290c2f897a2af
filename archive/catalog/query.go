package catalog

import (
	"context"
	"errors"
	"strconv"
	"strings"
)

// where puts a WHERE clause together.
type where struct {
	conds []string
	args  []any
}

// add adds a condition in which each ? stands for the next argument.
func (w *where) add(cond string, args ...any) {
	for _, a := range args {
		w.args = append(w.args, a)
		cond = strings.Replace(cond, "?", "$"+strconv.Itoa(len(w.args)), 1)
	}
	w.conds = append(w.conds, cond)
}

// equal adds a condition unless the value is "", which selects all.
func (w *where) equal(column, value string) {
	if value != "" {
		w.add(column+" = ?", value)
	}
}

// in adds a condition unless there is no value, which selects all.
func (w *where) in(column string, values []string) {
	if len(values) == 0 {
		return
	}
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	w.add(column+" IN (?"+strings.Repeat(", ?", len(values)-1)+")", args...)
}

// sql returns the clause, "" without conditions.
func (w *where) sql() string {
	if len(w.conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.conds, " AND ")
}

// each calls f for every row of a query.
func each(ctx context.Context, q Querier, f func(scan func(...any) error) error, query string, args ...any) (err error) {
	rows, err := q.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// collect returns the rows of a query, each read into what dest names of it.
func collect[T any](ctx context.Context, q Querier, dest func(*T) []any, query string, args ...any) ([]T, error) {
	var list []T
	err := each(ctx, q, func(scan func(...any) error) error {
		var row T
		err := scan(dest(&row)...)
		list = append(list, row)
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return list, nil
}

// column is the dest of rows that are one value each.
func column[T any](v *T) []any { return []any{v} }

// values returns "($1, $2), ($3, $4)" for rows of columns. On SQLite it is
// "(?, ?), (?, ?)": the driver looks for each name among all that came before.
func (db *DB) values(rows, columns int) string {
	var b strings.Builder
	for r := range rows {
		if r > 0 {
			b.WriteString(", ")
		}
		b.WriteByte('(')
		for c := range columns {
			if c > 0 {
				b.WriteString(", ")
			}
			if db.dialect == SQLite {
				b.WriteByte('?')
				continue
			}
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(r*columns + c + 1))
		}
		b.WriteByte(')')
	}
	return b.String()
}

// insertRows inserts rows with few statements: head is "INSERT INTO t (a, b)
// VALUES ", tail what follows the values. All rows have the same columns.
func insertRows(ctx context.Context, tx *Tx, head, tail string, rows [][]any) error {
	for len(rows) > 0 {
		// Full statements have one text, which is prepared once.
		n := min(len(rows), tx.db.perStatement())
		if n < tx.db.perStatement() && n > 1 && tx.db.dialect == SQLite {
			n = 1
		}
		columns := len(rows[0])
		args := make([]any, 0, n*columns)
		for _, r := range rows[:n] {
			args = append(args, r...)
		}
		if _, err := tx.Exec(ctx, head+tx.db.values(n, columns)+tail, args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// perStatement is the number of rows in one INSERT: many where a statement is a
// trip over the network.
func (db *DB) perStatement() int {
	if db.dialect == Postgres {
		return 200
	}
	return 20
}
