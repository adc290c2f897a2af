package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// rootCAs returns the certificates a server's is checked against: those of the
// machine, and those in the file that AWS_CA_BUNDLE names (a variable of the
// AWS tools, for a server with a CA of its own).
func rootCAs() (*x509.CertPool, error) {
	path := os.Getenv("AWS_CA_BUNDLE")
	if path == "" {
		return nil, nil // those of the machine
	}
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read AWS_CA_BUNDLE: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read AWS_CA_BUNDLE: %s holds no certificate in PEM form", path)
	}
	return pool, nil
}

// newHTTPClient returns a client whose connections fail after so much silence:
// no byte moved in either direction. A total limit would either cut a long
// upload over a slow line or be no help against a server that hangs.
func newHTTPClient(silence time.Duration, roots *x509.CertPool) *http.Client {
	d := net.Dialer{Timeout: min(silence, 30*time.Second), KeepAlive: 30 * time.Second}
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				c, err := d.DialContext(ctx, network, addr)
				if err != nil {
					return nil, err
				}
				return &watchedConn{Conn: c, silence: silence}, nil
			},
			TLSClientConfig:       &tls.Config{RootCAs: roots},
			TLSHandshakeTimeout:   min(silence, 30*time.Second),
			ExpectContinueTimeout: time.Second,
			MaxIdleConnsPerHost:   16,
			IdleConnTimeout:       min(silence, 30*time.Second),
			DisableCompression:    true, // objects are kept as they are
		},
		// A redirect means a wrong region or endpoint, and signatures do not
		// survive it.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// watchedConn fails reads and writes after a time without progress. A write
// also puts off the deadline of the read that waits for the answer meanwhile.
type watchedConn struct {
	net.Conn
	silence time.Duration
}

func (c *watchedConn) Read(p []byte) (int, error) {
	if err := c.Conn.SetReadDeadline(time.Now().Add(c.silence)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write writes in pieces, so that each piece that gets through is progress.
func (c *watchedConn) Write(p []byte) (n int, err error) {
	const piece = 64 << 10
	for {
		if err := c.Conn.SetDeadline(time.Now().Add(c.silence)); err != nil {
			return n, err
		}
		m, err := c.Conn.Write(p[n:min(len(p), n+piece)])
		n += m
		if err != nil || n == len(p) {
			return n, err
		}
	}
}
