//go:build !unix

package pgtest

import "errors"

// errNotInstalled says that there is no PostgreSQL to start.
var errNotInstalled = errors.New("starting PostgreSQL is not supported on this system")

// cluster is a running server.
type cluster struct{ url string }

func start() (*cluster, error) { return nil, errNotInstalled }

func (*cluster) stop() error { return nil }
