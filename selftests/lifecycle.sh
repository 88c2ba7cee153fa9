#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The module's coming and going: load, use, unload, again; what is refused while
# it is used, and what is left behind: nothing. KTAP. Each test starts with the
# module loaded, with its default parameters; at the end it is as it was found.
#
# REFOBJ_KO names the module's file. Only for a machine whose kernel may be
# risked, as the guest of vm/run, which sets it.

dev=/dev/refobj
sys=/sys/module/refobj
debugfs=/sys/kernel/debug/refobj
n=0 passed=0 failed=0 skipped=0
# How much longer than usual everything takes: what is done often is done less.
slow=${REFOBJ_SLOW:-1}

fail() {
	printf '%s\n' "$*"
	exit 1
}

skip() {
	printf '%s\n' "$*"
	exit 4
}

# t NAME: run the function of this name, in a shell of its own, as one test
t() {
	n=$((n + 1))
	if [ -d $sys ] && ! rmmod refobj || ! insmod "$REFOBJ_KO"; then
		echo "Bail out! the module cannot be loaded anew"
		exit 1
	fi
	said=$("$1" 2>&1)
	status=$?
	name=$(echo "$1" | tr _ ' ')
	case $status in
	0)	echo "ok $n $name"
		passed=$((passed + 1)) ;;
	4)	echo "ok $n $name # SKIP $said"
		skipped=$((skipped + 1)) ;;
	*)	echo "not ok $n $name"
		printf '%s\n' "$said" | sed 's/^/# /'
		failed=$((failed + 1)) ;;
	esac
}

# Makes @ARGV[0] objects in one session, with the flags of [1] and so many
# initial references as [2] says, tells its pid, and does what [3] says: exit, or
# wait for the end of its input. As uid [4], if given. The first object that is
# refused ends it, with its errno as status.
objects() {
	perl -e '
		use strict;
		my ($n, $flags, $initial, $then, $uid) = @ARGV;
		($<, $>) = ($uid, $uid) if $uid;
		sysopen(my $dev, "/dev/refobj", 2) or die "open: $!\n";
		# _IOWR(0xbb, 1, struct refobj_create)
		my $cmd = 3 << 30 | 120 << 16 | 0xbb << 8 | 1;
		for (my $i = 0; $i < $n; $i++) {
			my $arg = pack("L4 Q a64 a32", 120, $flags, 0, $initial,
				       0, "lifecycle-$$-$i", "");
			ioctl($dev, $cmd, $arg) or exit $! + 0;
		}
		$| = 1;
		print "$$\n";
		<STDIN> if $then eq "wait";
	' "$@"
}

# Makes $1 objects with the flags $2 that linger: one after the other for $3
# milliseconds, $3 + 1, and so on up to $4. Their maker is gone then.
lingering() {
	perl -e '
		use strict;
		my ($n, $flags, $from, $to) = @ARGV;
		sysopen(my $dev, "/dev/refobj", 2) or die "open: $!\n";
		# _IOWR(0xbb, 1, struct refobj_create)
		my $cmd = 3 << 30 | 128 << 16 | 0xbb << 8 | 1;
		for (my $i = 0; $i < $n; $i++) {
			my $arg = pack("L4 Q a64 a32 L2", 128, $flags, 0, 1, 0,
				       "lingering-$i", "",
				       $from + $i % ($to - $from + 1), 0);
			ioctl($dev, $cmd, $arg) or die "$i: $!\n";
		}
	' "$@"
}

# The figure of this name in debugfs.
figure() {
	awk -v name="$1" '$1 == name { print $2 }' $debugfs/stats
}

load() {
	insmod "$REFOBJ_KO" "$@" || fail "insmod $* failed"
	[ -c $dev ] || fail "no device after loading"
	[ -d $sys ] || fail "no $sys after loading"
	[ -f $debugfs/stats ] || fail "no $debugfs after loading"
}

unload() {
	rmmod refobj || fail "rmmod failed: $(lsmod | grep ^refobj)"
	nothing_left
}

nothing_left() {
	for path in $dev $sys $debugfs /sys/class/misc/refobj \
		    /sys/kernel/slab/refobj*; do
		# The name of a cache that was merged into another: the kernel
		# never removes that link.
		[ ! -L "$path" ] || continue
		[ ! -e "$path" ] || fail "$path is left after unloading"
	done
	# Not by its status, which is an error's if one of them is missing.
	left=$(grep -sw refobj /proc/modules /proc/misc /proc/slabinfo /proc/devices)
	[ -z "$left" ] || fail "left after unloading: $left"
}

cannot_unload() {
	if said=$(rmmod refobj 2>&1); then
		fail "the module was unloaded while it was used"
	fi
	case $said in
	*'in use'*) ;;
	*) fail "rmmod does not say that it is in use: $said" ;;
	esac
	for path in $dev $sys $debugfs/stats; do
		[ -e "$path" ] || fail "the refused unloading has taken $path away"
	done
}

works() {
	objects 3 0 1 exit >/dev/null || fail "no object can be made"
	[ "$(figure objects)" = "$1" ] ||
		fail "$(figure objects) objects are there, not $1"
}

# A process that holds objects, in the background: its pid, the job that it is
# and what keeps it there are in holder, in job and on descriptor 8.
start_holder() {
	fifo=$(mktemp -u)
	mkfifo "$fifo" "$fifo.ready"
	objects "$1" "$2" "$3" wait <"$fifo" >"$fifo.ready" &
	job=$!
	exec 8>"$fifo"
	read -r holder <"$fifo.ready"
	rm "$fifo" "$fifo.ready"
	[ "$holder" ] || fail "the holder of objects did not start"
}

end_holder() {
	exec 8>&-
	wait "$job"
}

the_module_says_what_it_is() {
	[ -n "$(modinfo -F description "$REFOBJ_KO")" ] || fail "no description"
	[ "$(modinfo -F license "$REFOBJ_KO")" = GPL ] || fail "licence is not GPL"
	[ -n "$(modinfo -F author "$REFOBJ_KO")" ] || fail "no author"
	[ -n "$(modinfo -F version "$REFOBJ_KO")" ] || fail "no version"
	[ -z "$(modinfo -F depends "$REFOBJ_KO")" ] || fail "depends on others"
}

every_parameter_is_described() {
	set -- "$sys"/parameters/*
	[ -f "$1" ] || fail "no parameters"
	for file; do
		name=${file##*/}
		text=$(modinfo -F parm "$REFOBJ_KO" | sed -n "s/^$name://p")
		[ ${#text} -gt 20 ] || fail "$name: '$text' is no description"
		case $text in
		*"(default $(cat "$file"))"*) ;;
		*) fail "$name is $(cat "$file"), but described as: $text" ;;
		esac
	done
}

the_device_belongs_to_root() {
	[ "$(stat -c '%a %U %G' $dev)" = '660 root root' ] ||
		fail "$dev is $(stat -c '%a %U %G' $dev)"
}

nobody_but_root_sets_parameters() {
	for file in "$sys"/parameters/*; do
		[ "$(stat -c '%a %U' "$file")" = '644 root' ] ||
			fail "$file is $(stat -c '%a %U' "$file")"
	done
}

unloading_leaves_nothing() {
	works 0
	unload
}

unloading_is_refused_while_a_session_is_open() {
	exec 9<>$dev
	cannot_unload
	exec 9>&-
	unload
}

a_refused_unloading_changes_nothing() {
	start_holder 5 0 1
	cannot_unload
	works 5
	cannot_unload
	end_holder
	works 0
	unload
}

unloading_is_refused_while_a_copy_is_open() {
	exec 9<>$dev
	exec 7<&9 9>&-
	cannot_unload
	exec 7<&-
	unload
}

unloading_works_when_the_holder_was_killed() {
	start_holder 1000 0 1
	cannot_unload
	kill -9 "$holder"
	wait "$job"
	unload
	exec 8>&-
}

unloading_takes_idle_objects_away() {
	objects 500 1 0 exit >/dev/null || fail "cannot make objects"
	[ "$(figure objects)" = 500 ] || fail "$(figure objects) objects, not 500"
	unload
	load
	[ "$(figure objects)" = 0 ] || fail "$(figure objects) objects are back"
	[ "$(wc -l <$debugfs/objects)" = 1 ] || fail "the table is not empty"
}

# Persistent and transient ones, for an hour: nobody waits for that.
unloading_takes_lingering_objects_away() {
	for flags in 0 1; do
		lingering 500 $flags 3600000 3600000 || fail "cannot make objects"
		[ "$(figure objects)" = 500 ] ||
			fail "$(figure objects) objects, not 500"
		[ "$(figure deactivations)" = 0 ] ||
			fail "$(figure deactivations) do not linger"
		unload
		load
		[ "$(figure objects)" = 0 ] || fail "objects are back"
	done
}

# The work of their timers is code that must still be there, or must not come.
unloading_stops_lingering_that_is_about_to_end() {
	for i in 1 2 3 4 5 6 7 8 9 10; do
		lingering 200 $((i % 2)) 1 $((10 * i)) || fail "cannot make objects"
		unload
		load
	done
}

# Their memory is freed later, by code that must still be there.
unloading_waits_for_what_has_just_died() {
	objects $((20000 / slow)) 0 1 exit >/dev/null || fail "cannot make objects"
	unload
}

unloading_reaches_every_network_namespace() {
	unshare -n true 2>/dev/null || skip "no network namespaces"
	fifo=$(mktemp -u)
	mkfifo "$fifo" "$fifo.ready"
	dir=$(mktemp -d)
	cat >"$dir/in" <<-END
		perl -e '
			sysopen(my \$dev, "/dev/refobj", 2) or die;
			my \$arg = pack("L4 Q a64 a32", 120, 1, 0, 0, 0, "x", "");
			ioctl(\$dev, 3 << 30 | 120 << 16 | 0xbb << 8 | 1, \$arg) or die;
		'
		echo ready
		read -r _
	END
	unshare -n sh "$dir/in" <"$fifo" >"$fifo.ready" &
	there=$!
	exec 8>"$fifo"
	read -r word <"$fifo.ready"
	rm -r "$fifo" "$fifo.ready" "$dir"
	[ "$word" = ready ] || fail "no object in another namespace"
	[ "$(figure objects)" = 1 ] || fail "$(figure objects) objects, not 1"
	unload
	load
	[ "$(figure objects)" = 0 ] || fail "$(figure objects) objects are back"
	# The namespace has seen the module go and come; now it goes itself.
	exec 8>&-
	wait $there
	unload
}

unloading_is_safe_while_debugfs_is_open() {
	objects 200 1 0 exit >/dev/null
	exec 9<$debugfs/objects
	head -c 10 <&9 >/dev/null
	# Whether an open file holds the module is the kernel's matter.
	if rmmod refobj 2>/dev/null; then
		cat <&9 >/dev/null 2>&1
		exec 9<&-
		nothing_left
	else
		cat <&9 >/dev/null || fail "the open file cannot be read"
		exec 9<&-
		unload
	fi
}

load_use_unload_ten_times() {
	for i in $(seq $((10 / slow))); do
		objects 50 0 1 exit >/dev/null || fail "round $i: no objects"
		objects 50 1 0 exit >/dev/null || fail "round $i: no objects"
		[ "$(figure created)" = 100 ] ||
			fail "round $i: $(figure created) created, not 100"
		unload
		load
		[ "$(figure created)" = 0 ] ||
			fail "round $i: the figures are not new"
	done
}

loading_twice_is_refused() {
	start_holder 2 0 1
	if insmod "$REFOBJ_KO" 2>/dev/null; then
		fail "it was loaded a second time"
	fi
	works 2
	end_holder
}

# Each thing that can fail when the module starts fails once: it is loaded, and works,
# or is not, and has left nothing. What comes before, until the parameters are looked
# at, is the kernel's own, which warns where its tracepoints get no memory.
loading_survives_every_failure() {
	[ -w /proc/self/fail-nth ] || skip "a kernel without fault injection"
	faults=/sys/kernel/debug/fail
	for setting in slab/ignore-gfp-wait=N slab/verbose=0 \
		       _page_alloc/ignore-gfp-wait=N _page_alloc/min-order=0 \
		       _page_alloc/verbose=0 _usercopy/verbose=0; do
		file=$faults${setting%=*}
		[ ! -f "$file" ] || echo "${setting#*=}" >"$file"
	done
	unload
	# It is the slab allocator that shows a stack then.
	echo 'refobj-expect: kmem_cache_create' >/dev/kmsg
	perl -e '
		use strict;
		use POSIX qw(ENOMEM EFAULT);
		open(my $ko, "<", $ARGV[0]) or die "$ARGV[0]: $!\n";
		my $image = do { local $/; <$ko> };
		open(my $nth, ">", "/proc/self/fail-nth") or die "fail-nth: $!\n";
		my ($refused, $left, $parameters, $name) = (0, 0, "", "refobj");
		my ($many, $bad) = (1000000, "max_objects=x");
		open(my $count, "<", "/proc/self/fail-nth") or die "fail-nth: $!\n";
		syswrite($nth, $many) or die "fail-nth: $!\n";
		syscall(175, $image, length $image, $bad) or die "a bad parameter is taken\n";
		sysread($count, $left, 9) or die "fail-nth: $!\n";
		syswrite($nth, 0) or die "fail-nth: $!\n";
		my $first = $many - $left;
		my $n = $first;
		for (my $failed = 1; $failed; ) {
			# It can be read once: there is no way back to its start.
			open(my $look, "<", "/proc/self/fail-nth") or die "fail-nth: $!\n";
			syswrite($nth, ++$n) or die "fail-nth: $!\n";
			# init_module(), delete_module()
			my $ret = syscall(175, $image, length $image, $parameters);
			my $errno = $! + 0;
			# How many there were still to count. To look, and to
			# disarm, may be what fails: then nothing else had.
			$failed = sysread($look, $left, 9) && $left == 0;
			syswrite($nth, 0) or syswrite($nth, 0) or die "fail-nth: $!\n";
			if (!$ret) {
				open(my $dev, "+<", "/dev/refobj") or die "$n: device: $!\n";
				close($dev);
				syscall(176, $name, 0) and die "$n: delete_module: $!\n";
			} else {
				$refused++;
				die "$n: errno $errno\n" if $errno != ENOMEM && $errno != EFAULT;
			}
			for my $path ("/dev/refobj", "/sys/module/refobj",
				      "/sys/kernel/debug/refobj") {
				die "$n: $path is left\n" if -e $path;
			}
		}
		print $n - $first, " places, $refused of them refused it\n";
		exit($refused < 20);
	' "$REFOBJ_KO"
	status=$?
	echo 'refobj-expect-end' >/dev/kmsg
	[ $status -eq 0 ] || fail "see above"
	nothing_left
	load
	works 0
}

every_parameter_is_honoured() {
	set --
	for file in "$sys"/parameters/*; do
		set -- "$@" "${file##*/}=$((1000 + $#))"
	done
	unload
	load "$@"
	for word; do
		have=$(cat "$sys/parameters/${word%%=*}")
		[ "$have" = "${word##*=}" ] || fail "$word, but it is $have"
	done
	unload
}

the_limit_of_objects_is_enforced() {
	unload
	load max_objects=7
	objects 7 1 0 exit 4321 >/dev/null || fail "the 7th object was refused"
	objects 1 1 0 exit 4321 >/dev/null
	[ $? -eq 122 ] || fail "the 8th object was not refused with EDQUOT"
	# The limit is each uid's, and not root's.
	objects 7 1 0 exit 4322 >/dev/null || fail "another uid was refused"
	objects 20 1 0 exit >/dev/null || fail "root was refused"
	unload
}

the_limit_can_be_changed_while_loaded() {
	echo 3 >$sys/parameters/max_objects || fail "it cannot be written"
	objects 4 1 0 exit 4321 >/dev/null
	[ $? -eq 122 ] || fail "the 4th object was not refused with EDQUOT"
	echo 5 >$sys/parameters/max_objects
	objects 2 1 0 exit 4321 >/dev/null || fail "the 5th object was refused"
	objects 1 1 0 exit 4321 >/dev/null
	[ $? -eq 122 ] || fail "the 6th object was not refused with EDQUOT"
	unload
}

the_ends_of_the_range_work() {
	most=$(perl -e 'print ~0')
	for name in max_objects max_references max_bytes; do
		file=$sys/parameters/$name
		echo 0 >"$file" || fail "$file: 0 is refused"
		[ "$(cat "$file")" = 0 ] || fail "$file: 0 became $(cat "$file")"
		objects 1 0 1 exit 4321 >/dev/null
		[ $? -eq 122 ] || fail "$file: nothing is refused at 0"
		echo "$most" >"$file" || fail "$file: $most is refused"
		objects 100 0 1 exit 4321 >/dev/null ||
			fail "$file: objects are refused at $most"
	done
	# What this one bounds is tested by watches.c.
	file=$sys/parameters/max_watches
	for value in 0 "$most"; do
		echo "$value" >"$file" || fail "$value is refused"
		[ "$(cat "$file")" = "$value" ] ||
			fail "$value became $(cat "$file")"
	done
	unload
}

the_size_of_the_queue_has_bounds() {
	file=$sys/parameters/max_events
	echo 16 >"$file" || fail "it may not be 16"
	for value in 0 15 65537 4294967296; do
		! (echo $value >"$file") 2>/dev/null || fail "it may be $value"
	done
	[ "$(cat "$file")" = 16 ] || fail "it is $(cat "$file")"
	echo 65536 >"$file" || fail "it may not be 65536"
	unload
}

bad_values_are_refused_at_loading() {
	set --
	for file in "$sys"/parameters/*; do
		set -- "$@" "${file##*/}"
	done
	unload
	for name; do
		for value in -1 x '' 1.5 99999999999999999999; do
			if insmod "$REFOBJ_KO" "$name=$value" 2>/dev/null; then
				fail "loaded with $name='$value'"
			fi
			nothing_left
		done
	done
}

bad_values_are_refused_while_loaded() {
	for file in "$sys"/parameters/*; do
		was=$(cat "$file")
		for value in -1 x 1.5 99999999999999999999; do
			if (echo "$value" >"$file") 2>/dev/null; then
				fail "$file took '$value'"
			fi
			[ "$(cat "$file")" = "$was" ] ||
				fail "'$value' made $file $(cat "$file")"
		done
	done
}

nobody_uses_the_module() {
	[ "$(cat $sys/refcnt)" = 0 ] || fail "refcnt is $(cat $sys/refcnt)"
	exec 9<>$dev
	[ "$(cat $sys/refcnt)" = 1 ] ||
		fail "refcnt is $(cat $sys/refcnt) with one session"
	exec 9>&-
	[ "$(cat $sys/refcnt)" = 0 ] || fail "refcnt is $(cat $sys/refcnt) after it"
}

skip_all() {
	echo "1..0 # SKIP $1"
	exit 4
}

restore() {
	rm -rf "$TMPDIR"
	if [ -d $sys ]; then
		rmmod refobj || exit 1
	fi
	# shellcheck disable=SC2086 # words
	[ -z "$was_loaded" ] || insmod "$REFOBJ_KO" $was_loaded || exit 1
}

echo "TAP version 13"
[ "$(id -u)" = 0 ] || skip_all "not root"
[ -f "$REFOBJ_KO" ] || skip_all "REFOBJ_KO does not name a module"
for tool in insmod rmmod lsmod modinfo perl; do
	command -v $tool >/dev/null || skip_all "no $tool"
done

was_loaded=
if [ -d $sys ]; then
	for file in "$sys"/parameters/*; do
		was_loaded="$was_loaded ${file##*/}=$(cat "$file")"
	done
	rmmod refobj || skip_all "the module is in use"
fi
TMPDIR=$(mktemp -d)
export TMPDIR
trap restore EXIT

set -- the_module_says_what_it_is every_parameter_is_described \
	the_device_belongs_to_root nobody_but_root_sets_parameters \
	nobody_uses_the_module unloading_leaves_nothing \
	unloading_is_refused_while_a_session_is_open \
	unloading_is_refused_while_a_copy_is_open \
	a_refused_unloading_changes_nothing \
	unloading_works_when_the_holder_was_killed \
	unloading_takes_idle_objects_away \
	unloading_takes_lingering_objects_away \
	unloading_stops_lingering_that_is_about_to_end \
	unloading_waits_for_what_has_just_died \
	unloading_reaches_every_network_namespace \
	unloading_is_safe_while_debugfs_is_open load_use_unload_ten_times \
	loading_twice_is_refused loading_survives_every_failure \
	every_parameter_is_honoured \
	the_limit_of_objects_is_enforced the_limit_can_be_changed_while_loaded \
	the_ends_of_the_range_work the_size_of_the_queue_has_bounds \
	bad_values_are_refused_at_loading \
	bad_values_are_refused_while_loaded
echo "1..$#"
for test; do
	t "$test"
done
echo "# Totals: pass:$passed fail:$failed xfail:0 xpass:0 skip:$skipped error:0"
[ $failed -eq 0 ]
