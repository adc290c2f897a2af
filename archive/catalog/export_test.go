package catalog

import "time"

// Waiting returns the number of writes in the queue.
func Waiting(db *DB) int {
	db.group.mu.Lock()
	defer db.group.mu.Unlock()
	return len(db.group.queue)
}

// Query is a query of this package, for a look at its plan.
type Query struct {
	Name, SQL string
	Args      []any
	Index     string // that it should use
}

// Queries returns the queries that run often or over much.
func Queries() []Query {
	now := timeText(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	list := []Query{{"NothingDue", nothingDue, nil, "sources_due"}}
	query, args := dueSources("run1", "host1.example", now, 10)
	return append(list, Query{"DueSources", query, args, "sources_wanted"})
}

// OutboxQueries returns the queries of the outbox.
func OutboxQueries() []Query {
	now := timeText(time.Date(2026, 3, 1, 13, 0, 0, 0, time.UTC))
	return []Query{
		{"claim to submit", claims[OutboxSubmit].choose, []any{now, "w"}, "outbox_submit"},
		{"claim to read", claims[OutboxRead].choose, []any{now, "w"}, "outbox_read"},
		{"next to submit", claims[OutboxSubmit].free, []any{"w"}, "outbox_soon"},
		{"next to read", claims[OutboxRead].free, []any{"w"}, "outbox_read"},
		{"leased", claims[OutboxRead].leased, []any{"w"}, "outbox_leased"},
		{"first to submit", claims[OutboxSubmit].first, nil, "outbox_soon"},
		{"states", outboxStates, nil, "outbox_states"},
		{"counts", outboxCounts, []any{now, now}, "outbox_read"},
	}
}
