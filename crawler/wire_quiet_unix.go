//go:build darwin || freebsd || linux || netbsd || openbsd

package crawler

import (
	"net"
	"syscall"
)

// rawQuiet reports whether c is open and has no bytes to read, without waiting.
func rawQuiet(c net.Conn) bool {
	s, ok := c.(syscall.Conn)
	if !ok {
		return false
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return false
	}
	quiet := false
	err = raw.Control(func(fd uintptr) {
		var one [1]byte
		_, _, err := syscall.Recvfrom(int(fd), one[:], syscall.MSG_PEEK)
		quiet = err == syscall.EAGAIN // sockets of package net never block
	})
	return err == nil && quiet
}
