package pgtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fineprint-archive/fineprint/archive/catalog/pgtest"
)

// connect opens a database until the end of the test.
func connect(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // it may be gone with its server
	return conn
}

// Each caller has a database of its own, and the server ends with the last of
// them.
func TestStart(t *testing.T) {
	var dsn string
	t.Run("two databases", func(t *testing.T) {
		dsn = pgtest.Start(t)
		a, b := connect(t, dsn), connect(t, pgtest.Start(t))
		if _, err := a.Exec(t.Context(), "CREATE TABLE x (y INT)"); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Exec(t.Context(), "SELECT y FROM x"); err == nil {
			t.Error("a table of one database is seen in the other")
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err == nil {
		_ = conn.Close(ctx) // it should not have opened
		t.Error("the database outlived its test")
	}
}
