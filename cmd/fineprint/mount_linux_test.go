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

func unmount(folder string) error { return syscall.Unmount(folder, 0) }
