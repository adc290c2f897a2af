package main

import "syscall"

// mountTmpfs mounts a filesystem in memory, or changes one.
func mountTmpfs(folder, options string, again bool) error {
	var flags uintptr
	if again {
		flags = syscall.MS_REMOUNT
	}
	return syscall.Mount("tmpfs", folder, "tmpfs", flags, options)
}

// unmount takes a filesystem away at once. A process that another test is just
// starting holds copies of this one's open files until it runs; the memory is
// freed when the last of them is closed.
func unmount(folder string) error { return syscall.Unmount(folder, syscall.MNT_DETACH) }
