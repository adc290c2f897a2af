package catalog

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
)

// poolConns is the size of the PostgreSQL pool unless the DSN says otherwise:
// one for the writes, a few for streaming reads, the rest for the job library.
const poolConns = 16

// openPostgres opens the pool that the catalog and the job library share.
func (db *DB) openPostgres(ctx context.Context, dsn string) error {
	db.dialect, db.name = Postgres, "postgres"
	if u, err := url.Parse(dsn); err == nil {
		if p, ok := u.User.Password(); ok && p != "" {
			db.secrets = append(db.secrets, p, url.QueryEscape(p), url.PathEscape(p))
		}
		if p := u.Query().Get("password"); p != "" {
			db.secrets = append(db.secrets, p, url.QueryEscape(p))
		}
	}
	conf, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		// The parser's message repeats the whole address.
		return errors.New("the address cannot be read: write postgres://user:password@host:port/database, with special characters in percent form")
	}
	c := conf.ConnConfig
	if c.Password != "" {
		db.secrets = append(db.secrets, c.Password)
	}
	db.name = "postgres://" + net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))) + "/" + c.Database
	if u, err := url.Parse(dsn); err == nil && !u.Query().Has("pool_max_conns") {
		conf.MaxConns = poolConns
	}
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "fineprint"
	}
	if db.pool, err = pgxpool.NewWithConfig(ctx, conf); err != nil {
		return err
	}
	if err := db.pool.Ping(ctx); err != nil {
		return explainConnect(err)
	}
	db.write = stdlib.OpenDBFromPool(db.pool)
	db.read = db.write
	return nil
}

// explainConnect adds the remedy to the errors of a first connection.
func explainConnect(err error) error {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	switch e.Code {
	case "28P01", "28000": // invalid_password, invalid_authorization_specification
		return fmt.Errorf("%w: check user and password of the database address", err)
	case "3D000": // invalid_catalog_name
		return fmt.Errorf("%w: create it first (createdb)", err)
	}
	return err
}

// transient reports whether a transaction failed only because of others at the
// same time, so that running it again may succeed.
func transient(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01") // serialization_failure, deadlock_detected
}
