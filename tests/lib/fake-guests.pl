# SPDX-License-Identifier: GPL-2.0
#
# Guests that answer what a test tells them to, and the tool run against them. A test is a Perl script:
#
#	require "$top/tests/lib/fake-guests.pl";
#	our ($dir, $out, $err, $took);
#	guest('n1', sub { my ($request, $nr) = @_; return packets("r1\n") });
#	is(run(qw(n1 add eth0 drop)), 0, 'a verb is done');
#
# $dir is a temporary folder with all there is; what $ENV{TOOL} names is run.

use strict;
use warnings;
use File::Temp qw(tempdir);
use IO::Socket::UNIX;
use POSIX qw(:sys_wait_h);
use Socket qw(SOCK_DGRAM);
use Time::HiRes qw(time sleep);

use constant { MAGIC => 0xcafebabe, VERSION => 2, HEADER => 12, MAX_DATA => 512 };

our $dir = tempdir('umf.XXXXXX', TMPDIR => 1, CLEANUP => 1);
our $home = "$dir/home";
mkdir $_ for "$dir/uml", $home, "$home/.uml";
$ENV{UML_DIR} = "$dir/uml";
$ENV{HOME} = $home;
delete $ENV{POSIXLY_CORRECT};

our ($out, $err, $took);

my @children;
my $me = $$;
END {
	if ($$ == $me) {
		my $status = $?;
		kill 'KILL', @children;
		waitpid $_, 0 for @children;
		$? = $status;
	}
}

# ---- a guest that answers what it is told to ----

sub packet
{
	my ($text, %f) = @_;
	my $len = $f{len} // length($text) + 1;
	return pack('LLL', $f{err} // 0, $f{more} // 0, $len) . "$text\0";
}

# A reply as UML cuts it.
sub packets
{
	my ($text, $err) = @_;
	my @out;
	do {
		my $part = substr($text, 0, MAX_DATA - 1, '');
		push @out, packet($part, err => @out ? 0 : $err // 0, more => length $text ? 1 : 0);
	} while (length $text);
	return @out;
}

# $answer->(request, how many came before) gives the packets; each request is noted in <name>.log.
sub guest
{
	my ($name, $answer, %o) = @_;
	my $folder = ($o{dir} // $ENV{UML_DIR}) . "/$name";
	mkdir $folder;
	unlink "$folder/mconsole";
	my $socket = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$folder/mconsole") or die "$folder: $!";
	unlink "$dir/$name.log";
	my $pid = fork // die;
	if (!$pid) {
		$SIG{$_} = 'DEFAULT' for qw(INT TERM);
		for (my $n = 0;; $n++) {
			my $from = recv($socket, my $request, 65536, 0) // next;
			my ($magic, $version, $len) = unpack('LLL', $request);
			my $text = substr($request, HEADER, $len);
			open(my $log, '>>', "$dir/$name.log");
			print $log $magic == MAGIC && $version == VERSION ? "$text\n" : "malformed\n";
			close $log;
			send($socket, $_, 0, $from) for $answer->($text, $n);
		}
	}
	push @children, $pid;
	return $pid;
}

sub kill_guest
{
	my ($pid) = @_;
	kill 'KILL', $pid;
	waitpid $pid, 0;
	@children = grep { $_ != $pid } @children;
}

sub slurp
{
	my ($file) = @_;
	open(my $in, '<', $file) or return '';
	local $/;
	return <$in> // '';
}

sub requests { return slurp("$dir/$_[0].log") }

# ---- the tool ----

sub start
{
	my @args = @_;
	my $pid = fork // die;
	if (!$pid) {
		open(STDOUT, '>', "$dir/out");
		open(STDERR, '>', "$dir/err");
		exec $ENV{TOOL}, @args or POSIX::_exit(127);
	}
	return $pid;
}

sub finish
{
	my ($pid) = @_;
	waitpid $pid, 0;
	my $status = $? & 127 ? "signal " . ($? & 127) : $? >> 8;
	($out, $err) = (slurp("$dir/out"), slurp("$dir/err"));
	return $status;
}

sub run
{
	my $from = time;
	my $status = finish(start(@_));
	$took = time - $from;
	return $status;
}

1;
