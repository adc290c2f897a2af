// Package pgtest gives tests a real PostgreSQL server of their own: a cluster
// in a temporary folder, listening on loopback, one for the test process and
// with one database for each caller of [Start].
//
// It needs the programs initdb and postgres (Debian: package postgresql). As
// the server refuses to run as root, a test that runs as root starts it as the
// user postgres. FINEPRINT_TEST_POSTGRES=postgres://… names a server to use
// instead; databases are made and dropped in it.
//
// The cluster does not flush to disk, so it says nothing about power cuts.
package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// TB is what this package needs of testing.TB.
type TB interface {
	Helper()
	Cleanup(func())
	Skip(args ...any)
	Fatal(args ...any)
	Log(args ...any)
}

// Env names the environment variable with the address of a server to use.
const Env = "FINEPRINT_TEST_POSTGRES"

// PasswordUser is the user whom the server asks for a password over loopback.
// A test that needs it creates the role. All others are trusted.
const PasswordUser = "with_password"

// wait bounds each step with the server.
const wait = 30 * time.Second

// shared is the cluster of this process. It stops when its last user ends.
var shared struct {
	mu    sync.Mutex
	users int
	*cluster
}

// Start returns the address of a new, empty database, which is dropped at the
// end of the test. Without PostgreSQL on this machine the test is skipped, or
// fails if the environment says CI=true.
func Start(t TB) string {
	t.Helper()
	server := os.Getenv(Env)
	if server == "" {
		server = acquire(t)
	}
	name := "t" + strings.ToLower(rand.Text())
	if err := onServer(server, "CREATE DATABASE "+name); err != nil {
		t.Fatal("pgtest: create database: ", err)
	}
	t.Cleanup(func() {
		if err := onServer(server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Log("pgtest: drop database: ", err) // it goes with its cluster
		}
	})
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal("pgtest: " + Env + " is not a URL")
	}
	u.Path = "/" + name
	return u.String()
}

// acquire starts the cluster of this process if it does not run, and stops it
// when the last test that uses it ends.
func acquire(t TB) string {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.cluster == nil {
		c, err := start()
		switch {
		case errors.Is(err, errNotInstalled) && os.Getenv("CI") != "true":
			t.Skip("pgtest: ", err, ": install PostgreSQL or set ", Env)
		case err != nil:
			t.Fatal("pgtest: ", err)
		}
		shared.cluster = c
	}
	shared.users++
	t.Cleanup(func() {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		shared.users--
		if shared.users > 0 {
			return
		}
		if err := shared.stop(); err != nil {
			t.Log("pgtest: ", err)
		}
		shared.cluster = nil
	})
	return shared.url
}

// Keep keeps the cluster of this process running until the returned function is
// called: for TestMain, so that tests in a row share it. It starts nothing.
func Keep() (stop func() error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	shared.users++
	return func() error {
		shared.mu.Lock()
		defer shared.mu.Unlock()
		shared.users--
		if shared.users > 0 || shared.cluster == nil {
			return nil
		}
		err := shared.stop()
		shared.cluster = nil
		return err
	}
}

// onServer runs one statement.
func onServer(server, statement string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	_, err = conn.Exec(ctx, statement)
	return err
}
