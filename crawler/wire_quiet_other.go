//go:build !(darwin || freebsd || linux || netbsd || openbsd)

package crawler

import (
	"errors"
	"net"
	"os"
	"time"
)

// rawQuiet reports whether c is open and has no bytes to read. Here it has to
// wait a moment, since a deadline that is over would end the read before it is
// tried. A byte read by it is lost with the connection, which is not quiet then.
func rawQuiet(c net.Conn) bool {
	if c.SetReadDeadline(time.Now().Add(100*time.Microsecond)) != nil {
		return false
	}
	var one [1]byte
	n, err := c.Read(one[:])
	return n == 0 && errors.Is(err, os.ErrDeadlineExceeded)
}
