// SPDX-License-Identifier: GPL-2.0
/*
 * Disks umfa, umfb, …: configuration, the gendisk, and requests.
 *
 * A request's own part (struct umf_blk_cmd) holds what the host is asked to do.
 * What the host likely does without waiting is done on the spot; everything
 * else goes to the disk's threads (blk/io_user.c) and comes back through
 * umf_blk_done().
 */
#define pr_fmt(fmt) "umf-blk: " fmt

#include <linux/blkdev.h>
#include <linux/ctype.h>
#include <linux/file.h>
#include <linux/init.h>
#include <linux/mutex.h>
#include <linux/reboot.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <init.h>
#include <mconsole_kern.h>
#include "blk/blk.h"
#include "time/clock.h"

#define UNITS		26
#define QUEUE_DEPTH	128
#define CACHE_DEFAULT	SZ_8M

#define OPTIONS "backing=<file> raw ro shared order=strict cache=none|volatile[:size] " \
		"serial=<20 characters> logical=512|4096 physical=512|4096 log=<file> " \
		"engine=uring|threads direct model=<access>[:<rate>[:<flush>]]"

static DEFINE_MUTEX(umf_blks_lock);	/* umf_blks and what is in it */
static struct umf_blk *umf_blks[UNITS];
static char *umf_blk_boot[UNITS];	/* as on the command line */

/* ---- requests ---- */

static blk_status_t status_of(int err)
{
	switch (err) {
	case 0:
		return BLK_STS_OK;
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
		return BLK_STS_NOSPC;
	case -EOPNOTSUPP:
		return BLK_STS_NOTSUPP;
	case -ETIMEDOUT:
		return BLK_STS_TIMEOUT;
	case -ENODEV:
	case -ENXIO:
		return BLK_STS_OFFLINE;
	default:
		return BLK_STS_IOERR;
	}
}

void umf_blk_end(struct umf_blk_cmd *cmd)
{
	blk_mq_end_request(blk_mq_rq_from_pdu(cmd), cmd->status);
}

/* What the host cannot do it is not asked for again; what a rule forbids comes back. */
static void take_result(struct umf_blk_cmd *cmd, int err)
{
	struct request_queue *q = blk_mq_rq_from_pdu(cmd)->q;

	cmd->status = status_of(err);
	if (cmd->status != BLK_STS_NOTSUPP)
		return;
	if (cmd->io.op == UMF_IO_DISCARD)
		blk_queue_disable_discard(q);
	else if (cmd->io.op == UMF_IO_ZEROES)
		blk_queue_disable_write_zeroes(q);
}

static void umf_blk_complete(struct request *rq)
{
	struct umf_blk_cmd *cmd = blk_mq_rq_to_pdu(rq);

	if (cmd->judged)
		umf_fate_done(cmd);
	else
		umf_blk_end(cmd);
}

/* Once one has failed, all do: said once. */
static void look_at_syncs(struct umf_blk *blk)
{
	int err = READ_ONCE(blk->image->sync_error);

	if (likely(!err) || blk->sync_told)
		return;
	blk->sync_told = true;
	pr_err("umf%c: the host could not write what it had taken (%s): every flush fails from now on\n",
	       'a' + blk->unit, umf_file_error(err));
}

void umf_blk_end_io(struct umf_blk_cmd *cmd, int err)
{
	look_at_syncs(cmd->blk);
	take_result(cmd, err);
	umf_blk_complete(blk_mq_rq_from_pdu(cmd));
}

static void io_done(struct umf_io *io)
{
	struct umf_blk_cmd *cmd = container_of(io, struct umf_blk_cmd, io);

	look_at_syncs(cmd->blk);
	take_result(cmd, io->result);
	blk_mq_complete_request(blk_mq_rq_from_pdu(cmd));
}

static void kick_pool(struct umf_blk *blk)
{
	unsigned long flags;

	/* the pool's lock is no kernel lock: nobody may interrupt its holder */
	local_irq_save(flags);
	umf_io_pool_submit(blk->pool, NULL, true);
	local_irq_restore(flags);
}

void umf_blk_go(struct umf_blk_cmd *cmd, bool kick)
{
	struct umf_io *io = &cmd->io;
	unsigned long flags;
	int err;

	if (umf_clock_virtual()) {
		umf_blk_clock_go(cmd);
		return;
	}
	if (cmd->blk->cache) {
		queue_work(cmd->blk->wq, &cmd->cached);
		return;
	}
	local_irq_save(flags);
	err = umf_io_exec_now(cmd->blk->image, io);
	if (err == -EAGAIN || kick)
		umf_io_pool_submit(cmd->blk->pool, err == -EAGAIN ? io : NULL,
				   kick);
	local_irq_restore(flags);
	/* handed over: it is no longer ours */
	if (err != -EAGAIN)
		umf_blk_end_io(cmd, err);
}

static void map_data(struct umf_blk_cmd *cmd, struct request *rq)
{
	struct req_iterator iter;
	struct bio_vec bvec;
	char *end = NULL;
	int n = -1;

	rq_for_each_bvec(bvec, rq, iter) {
		char *virt = bvec_virt(&bvec);

		if (n < 0 || virt != end) {
			if (WARN_ON_ONCE(++n == UMF_BLK_SEGMENTS))
				return;
			cmd->vec[n].base = virt;
			cmd->vec[n].len = 0;
		}
		cmd->vec[n].len += bvec.bv_len;
		end = virt + bvec.bv_len;
	}
	cmd->io.vec = cmd->vec;
	cmd->io.nvec = n + 1;
}

static bool map_request(struct umf_blk_cmd *cmd, struct request *rq)
{
	struct umf_io *io = &cmd->io;

	io->flags = (rq->cmd_flags & REQ_FUA ? UMF_IO_FUA : 0) |
		    (rq->cmd_flags & REQ_META ? UMF_IO_META : 0);
	io->nvec = 0;
	io->sector = blk_rq_pos(rq);
	io->nr = blk_rq_sectors(rq);
	switch (req_op(rq)) {
	case REQ_OP_READ:
		io->op = UMF_IO_READ;
		map_data(cmd, rq);
		return true;
	case REQ_OP_WRITE:
		io->op = UMF_IO_WRITE;
		map_data(cmd, rq);
		return true;
	case REQ_OP_FLUSH:
		io->op = UMF_IO_FLUSH;
		io->sector = 0;
		io->nr = 0;
		return true;
	case REQ_OP_DISCARD:
		io->op = UMF_IO_DISCARD;
		return true;
	case REQ_OP_WRITE_ZEROES:
		/* REQ_NOUNMAP or not: the image stays sparse */
		io->op = UMF_IO_ZEROES;
		return true;
	default:
		return false;
	}
}

/* At its first use: before, it is zeros. */
static void init_cmd(struct umf_blk_cmd *cmd, struct umf_blk *blk)
{
	cmd->blk = blk;
	cmd->io.done = io_done;
	INIT_WORK(&cmd->cached, umf_power_work);
	umf_fate_init_cmd(cmd);
}

static blk_status_t umf_blk_queue_rq(struct blk_mq_hw_ctx *hctx,
				     const struct blk_mq_queue_data *bd)
{
	struct umf_blk_cmd *cmd = blk_mq_rq_to_pdu(bd->rq);

	if (unlikely(!cmd->blk))
		init_cmd(cmd, hctx->queue->queuedata);
	if (!map_request(cmd, bd->rq))
		return BLK_STS_NOTSUPP;
	blk_mq_start_request(bd->rq);
	cmd->judged = umf_blk_fault_active(cmd->blk);
	if (cmd->judged)
		umf_blk_fault_start(cmd);
	else
		umf_blk_go(cmd, bd->last);
	return BLK_STS_OK;
}

static void umf_blk_commit_rqs(struct blk_mq_hw_ctx *hctx)
{
	if (!umf_clock_virtual())
		kick_pool(hctx->queue->queuedata);
}

/* The host may be slow, but it will answer. */
static enum blk_eh_timer_return umf_blk_timeout(struct request *rq)
{
	struct umf_blk_cmd *cmd = blk_mq_rq_to_pdu(rq);

	if (cmd->judged && umf_fate_timeout(cmd))
		return BLK_EH_DONE;
	return BLK_EH_RESET_TIMER;
}

static void umf_blk_exit_request(struct blk_mq_tag_set *set, struct request *rq,
				 unsigned int hctx)
{
	struct umf_blk_cmd *cmd = blk_mq_rq_to_pdu(rq);

	if (cmd->blk)
		umf_fate_exit_cmd(cmd);
}

static const struct blk_mq_ops umf_blk_mq_ops = {
	.queue_rq	= umf_blk_queue_rq,
	.commit_rqs	= umf_blk_commit_rqs,
	.complete	= umf_blk_complete,
	.timeout	= umf_blk_timeout,
	.exit_request	= umf_blk_exit_request,
};

/* ---- the disk ---- */

static const struct block_device_operations umf_blk_fops = {
	.owner	= THIS_MODULE,
};

static ssize_t serial_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	struct umf_blk *blk = dev_to_disk(dev)->private_data;

	return sysfs_emit(buf, "%s\n", blk->serial);
}
static DEVICE_ATTR_RO(serial);

static struct attribute *umf_blk_attrs[] = {
	&dev_attr_serial.attr,
	NULL,
};
ATTRIBUTE_GROUPS(umf_blk);

#define PHYSICAL_DEFAULT	4096

/* What the disk writes as a whole or not at all. */
static unsigned int physical_of(const struct umf_blk *blk,
				const struct umf_blk_options *opt)
{
	return max3(opt->physical ?: PHYSICAL_DEFAULT, opt->logical,
		    umf_image_unit(blk->image));
}

static int add_disk_of(struct umf_blk *blk, const struct umf_blk_options *opt,
		       char *error)
{
	unsigned int unit = umf_image_unit(blk->image);
	struct queue_limits lim = {
		.logical_block_size	= opt->logical ?: unit,
		.physical_block_size	= physical_of(blk, opt),
		.max_segments		= UMF_BLK_SEGMENTS,
		.max_hw_sectors		= 2048,
		.max_segment_size	= 1 << 20,
		.discard_granularity	= unit,
		.max_hw_discard_sectors	= UINT_MAX >> SECTOR_SHIFT,
		.max_write_zeroes_sectors = UINT_MAX >> SECTOR_SHIFT,
		.features		= BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA,
	};
	u64 sectors = DIV_ROUND_UP_ULL(umf_image_size(blk->image), SECTOR_SIZE);
	struct gendisk *disk;
	int err;

	if (unit > PAGE_SIZE || lim.logical_block_size < unit) {
		snprintf(error, UMF_BLK_ERROR_LEN,
			 "%s: keeps sectors of %u bytes, more than a block has",
			 opt->file, unit);
		return -EINVAL;
	}
	sectors = round_down(sectors, lim.logical_block_size / SECTOR_SIZE);
	if (!sectors) {
		snprintf(error, UMF_BLK_ERROR_LEN,
			 "%s: is smaller than a block", opt->file);
		return -EINVAL;
	}
	blk->tags.ops = &umf_blk_mq_ops;
	blk->tags.nr_hw_queues = nr_cpu_ids;
	blk->tags.queue_depth = QUEUE_DEPTH;
	blk->tags.numa_node = NUMA_NO_NODE;
	blk->tags.cmd_size = sizeof(struct umf_blk_cmd);
	snprintf(error, UMF_BLK_ERROR_LEN, "out of memory");
	err = blk_mq_alloc_tag_set(&blk->tags);
	if (err)
		return err;
	disk = blk_mq_alloc_disk(&blk->tags, &lim, blk);
	if (IS_ERR(disk)) {
		err = PTR_ERR(disk);
		goto out_tags;
	}
	snprintf(disk->disk_name, sizeof(disk->disk_name), "umf%c",
		 'a' + blk->unit);
	disk->fops = &umf_blk_fops;
	disk->private_data = blk;
	set_capacity(disk, sectors);
	set_disk_ro(disk, opt->ro);
	blk->disk = disk;
	err = umf_blk_fault_add(blk);
	if (!err) {
		err = device_add_disk(NULL, disk, umf_blk_groups);
		if (!err)
			return 0;
		umf_blk_fault_del(blk);
	}
	snprintf(error, UMF_BLK_ERROR_LEN, "cannot be registered (error %d)",
		 err);
	put_disk(disk);
out_tags:
	blk_mq_free_tag_set(&blk->tags);
	return err;
}

/* ---- configuration ---- */

/* none, volatile, or volatile:<size> from 4k to 1G. */
static bool parse_cache(const char *val, u64 *size)
{
	char *end;

	*size = 0;
	if (!strcmp(val, "none"))
		return true;
	if (strncmp(val, "volatile", 8))
		return false;
	*size = CACHE_DEFAULT;
	if (!val[8])
		return true;
	if (val[8] != ':' || !isdigit(val[9]))
		return false;
	*size = memparse(val + 9, &end);
	return !*end && *size >= SZ_4K && *size <= SZ_1G;
}

static bool parse_block(const char *val, unsigned int *size)
{
	if (!val || (strcmp(val, "512") && strcmp(val, "4096")))
		return false;
	*size = val[0] == '5' ? 512 : 4096;
	return true;
}

/* Cuts @text up. */
static int parse_options(char *text, struct umf_blk_options *opt, char *error)
{
	char *word;

	opt->file = strsep(&text, ",");
	if (!*opt->file) {
		snprintf(error, UMF_BLK_ERROR_LEN, "no file: <file>[,<option>]...");
		return -EINVAL;
	}
	while ((word = strsep(&text, ","))) {
		char *val = strchr(word, '=');

		if (val)
			*val++ = '\0';
		if (!strcmp(word, "ro") && !val) {
			opt->ro = true;
		} else if (!strcmp(word, "raw") && !val) {
			opt->raw = true;
		} else if (!strcmp(word, "shared") && !val) {
			opt->shared = true;
		} else if (!strcmp(word, "direct") && !val) {
			opt->direct = true;
		} else if (!strcmp(word, "backing") && val && *val) {
			opt->backing = val;
		} else if (!strcmp(word, "order") && val &&
			   !strcmp(val, "strict")) {
			opt->strict = true;
		} else if (!strcmp(word, "cache") && val &&
			   parse_cache(val, &opt->cache)) {
			/* it is in opt */
		} else if (!strcmp(word, "serial") && val && *val &&
			   strlen(val) < UMF_BLK_SERIAL_LEN) {
			opt->serial = val;
		} else if (!strcmp(word, "log") && val && *val) {
			opt->log = val;
		} else if (!strcmp(word, "model") && val && *val) {
			opt->model = val;
		} else if (!strcmp(word, "engine") && val &&
			   (!strcmp(val, "uring") || !strcmp(val, "threads"))) {
			opt->engine = val[0] == 'u' ? UMF_ENGINE_URING :
						      UMF_ENGINE_THREADS;
		} else if (!strcmp(word, "logical") &&
			   parse_block(val, &opt->logical)) {
			/* it is in opt */
		} else if (!strcmp(word, "physical") &&
			   parse_block(val, &opt->physical)) {
			/* it is in opt */
		} else {
			snprintf(error, UMF_BLK_ERROR_LEN,
				 "'%.60s%s%.60s' is none of " OPTIONS,
				 word, val ? "=" : "", val ?: "");
			return -EINVAL;
		}
	}
	if (opt->raw && opt->backing) {
		snprintf(error, UMF_BLK_ERROR_LEN,
			 "raw: what has a backing file is no raw image");
		return -EINVAL;
	}
	if (opt->log && (opt->ro || opt->shared)) {
		snprintf(error, UMF_BLK_ERROR_LEN,
			 "log=%.200s: %s", opt->log,
			 opt->ro ? "nothing is written to a disk with ro" :
				   "what others write with shared is not in it");
		return -EINVAL;
	}
	return 0;
}

/*
 * io_uring where the host lets us (many containers do not), else threads; in virtual
 * time none of them, whichever is asked for.
 */
static int start_engine(struct umf_blk *blk, enum umf_engine engine,
			char *error)
{
	int err;

	if (umf_clock_virtual())
		return 0;
	if (engine != UMF_ENGINE_THREADS) {
		err = umf_io_pool_start(blk->image, true, &blk->pool);
		blk->ring = !err;
		if (!err)
			return 0;
		snprintf(error, UMF_BLK_ERROR_LEN,
			 "engine=uring: the host has no io_uring for us (%s)",
			 umf_file_error(err));
		if (engine == UMF_ENGINE_URING)
			return err;
		pr_info("umf%c: no io_uring (%s), threads do it\n",
			'a' + blk->unit, umf_file_error(err));
	}
	err = umf_io_pool_start(blk->image, false, &blk->pool);
	if (err)
		snprintf(error, UMF_BLK_ERROR_LEN, "no thread for it (%s)",
			 umf_file_error(err));
	return err;
}

static void stop_engine(struct umf_blk *blk)
{
	if (blk->pool)
		umf_io_pool_stop(blk->pool);
	hrtimer_cancel(&blk->clock.timer);
}

static const char *engine_name(const struct umf_blk *blk)
{
	if (!blk->pool)
		return "virtual time";
	return blk->ring ? "uring" : "threads";
}

static int open_log(struct umf_blk *blk, const char *path, char *error)
{
	int err = umf_wlog_open(path, &blk->image->log);
	const char *why = umf_file_error(err);

	if (err == -EEXIST)
		why = "is something else; name a new file";
	else if (err == -EBADMSG)
		why = "was cut off; replay it, then name a new file";
	else if (err == -EAGAIN)
		why = "in use by another guest or program";
	if (err)
		snprintf(error, UMF_BLK_ERROR_LEN, "log=%.200s: %s", path, why);
	return err;
}

/* Nobody uses the disk any more. */
static void close_image(struct umf_blk *blk)
{
	if (blk->image->log)
		umf_wlog_close(blk->image->log);
	umf_image_close(blk->image);
}

static int umf_blk_create(unsigned int unit, const char *text, char *error)
{
	struct umf_blk_options opt = {};
	struct umf_blk *blk;
	char *copy;
	int err;

	lockdep_assert_held(&umf_blks_lock);
	if (umf_blks[unit]) {
		snprintf(error, UMF_BLK_ERROR_LEN, "is configured already");
		return -EEXIST;
	}
	snprintf(error, UMF_BLK_ERROR_LEN, "out of memory");
	blk = kzalloc_obj(*blk);
	copy = kstrdup(text, GFP_KERNEL);
	err = -ENOMEM;
	if (!blk || !copy)
		goto out_free;
	blk->unit = unit;
	blk->spec = kstrdup(text, GFP_KERNEL);
	if (!blk->spec)
		goto out_free;

	err = parse_options(copy, &opt, error);
	if (!err)
		err = umf_image_open(&opt, &blk->image, error);
	if (err)
		goto out_free;
	blk->ro = opt.ro;
	blk->shared = opt.shared;
	blk->file = opt.file;
	umf_live_init(blk);
	err = umf_blk_clock_add(blk, &opt, error);
	if (err)
		goto out_image;
	if (opt.serial)
		strscpy(blk->serial, opt.serial);
	else
		snprintf(blk->serial, sizeof(blk->serial), "umf%016llx",
			 umf_clock_virtual() ? umf_blk_clock_id(opt.file) :
					       blk->image->id);
	err = umf_blk_io_init();
	if (err)
		snprintf(error, UMF_BLK_ERROR_LEN, "no interrupt for it (%s)",
			 umf_file_error(err));
	else
		err = start_engine(blk, opt.engine, error);
	if (err)
		goto out_image;
	err = umf_power_add(blk, opt.cache, physical_of(blk, &opt));
	if (err) {
		snprintf(error, UMF_BLK_ERROR_LEN, "out of memory");
		goto out_pool;
	}
	if (opt.log)
		err = open_log(blk, opt.log, error);
	if (!err)
		err = add_disk_of(blk, &opt, error);
	if (err)
		goto out_power;
	umf_blks[unit] = blk;
	pr_info("umf%c: %s, %llu sectors, %u file%s%s, %s\n", 'a' + unit,
		opt.file, (u64)get_capacity(blk->disk), blk->image->layers,
		blk->image->layers == 1 ? "" : "s", opt.ro ? ", read-only" : "",
		engine_name(blk));
	/* the words of it stay in use */
	blk->words = copy;
	return 0;

out_power:
	umf_power_del(blk);
out_pool:
	stop_engine(blk);
out_image:
	close_image(blk);
out_free:
	kfree(copy);
	if (blk)
		kfree(blk->spec);
	kfree(blk);
	return err;
}

static int end_log_call(void *image)
{
	return umf_wlog_end(image);
}

static int end_log(struct umf_blk *blk)
{
	int err = blk->image->log ?
		  umf_blk_call(blk, end_log_call, blk->image) : 0;

	if (err)
		pr_err("umf%c: its log is not complete (%s)\n", 'a' + blk->unit,
		       umf_file_error(err));
	return err;
}

/* It is gone in any case; -errno: something of it is not in its image or log. */
static int umf_blk_destroy(struct umf_blk *blk)
{
	int err;

	umf_blks[blk->unit] = NULL;
	umf_blk_fault_del(blk);
	del_gendisk(blk->disk);
	put_disk(blk->disk);
	blk_mq_free_tag_set(&blk->tags);
	err = umf_power_del(blk);
	err = end_log(blk) ?: err;
	stop_engine(blk);
	close_image(blk);
	kfree(blk->words);
	kfree(blk->spec);
	kfree(blk);
	return err;
}

struct umf_blk *umf_blk_get(const char *name)
{
	struct umf_blk *blk = NULL;

	if (strlen(name) != 4 || strncmp(name, "umf", 3) || name[3] < 'a' ||
	    name[3] >= 'a' + UNITS)
		return NULL;
	mutex_lock(&umf_blks_lock);
	blk = umf_blks[name[3] - 'a'];
	if (!blk)
		mutex_unlock(&umf_blks_lock);
	return blk;
}

void umf_blk_put(struct umf_blk *blk)
{
	mutex_unlock(&umf_blks_lock);
}

/* ---- its ways in: command line and mconsole ---- */

/* The unit, and what follows its letter; -1: no such unit. */
static int parse_unit(char *text, char **end)
{
	if (*text < 'a' || *text >= 'a' + UNITS)
		return -1;
	*end = text + 1;
	return *text - 'a';
}

static int __init umf_blk_setup(char *text)
{
	char *end;
	int unit = parse_unit(text, &end);

	if (unit < 0 || *end != '=')
		return 0;
	if (umf_blk_boot[unit])
		pr_err("umf%c: configured twice, only the first counts\n",
		       *text);
	else
		umf_blk_boot[unit] = end + 1;
	return 1;
}

__uml_help(umf_blk_setup,
	   "umf[a-z]=<file>[,backing=<file>][,raw][,ro][,shared][,order=strict]\n"
	   "        [,cache=none|volatile[:size]][,serial=<text>]\n"
	   "        [,logical=512|4096][,physical=512|4096][,log=<file>]\n"
	   "        [,engine=uring|threads][,direct][,model=<access>[:<rate>[:<flush>]]]\n"
	   "    A disk, /dev/umfa to /dev/umfz: a raw image or a COW file of the\n"
	   "    host. With backing=, a COW file that is not there is made. With\n"
	   "    log=, all that is written is logged as dm-log-writes does it. In\n"
	   "    virtual time model= says how long requests take, 100us:1G:1ms unless\n"
	   "    given: each, bytes a second, a flush.\n\n"
);

/* as __setup(): the list of documented ones is the kernel's */
__setup_param("umf", umf_blk_setup, umf_blk_setup, 0);

static void end_orderly(struct umf_blk *blk)
{
	int err = umf_power_orderly(blk);

	if (err)
		pr_err("umf%c: its cache cannot be written back (%s)\n",
		       'a' + blk->unit, umf_file_error(err));
	end_log(blk);
}

/* The guest ends in good order: its images and logs have all of it. */
static int umf_blk_reboot(struct notifier_block *block, unsigned long action,
			  void *data)
{
	int unit;

	mutex_lock(&umf_blks_lock);
	for (unit = 0; unit < UNITS; unit++)
		if (umf_blks[unit])
			end_orderly(umf_blks[unit]);
	mutex_unlock(&umf_blks_lock);
	return NOTIFY_DONE;
}

static struct notifier_block umf_blk_at_reboot = {
	.notifier_call = umf_blk_reboot,
};

/* mconsole runs one request at a time and copies the text before the next. */
static char umf_blk_error[UMF_BLK_ERROR_LEN];

static int umf_blk_mc_config(char *text, char **error)
{
	char *end;
	int unit = parse_unit(text, &end), err;

	if (unit < 0 || *end != '=') {
		*error = "expected umf<a-z>=<file>";
		return -EINVAL;
	}
	mutex_lock(&umf_blks_lock);
	err = umf_blk_create(unit, end + 1, umf_blk_error);
	mutex_unlock(&umf_blks_lock);
	if (err)
		*error = umf_blk_error;
	return err;
}

static int umf_blk_mc_get_config(char *text, char *buf, int size, char **error)
{
	struct umf_blk *blk = NULL;
	char *end;
	int unit = parse_unit(text, &end), len = 0;

	mutex_lock(&umf_blks_lock);
	if (unit >= 0 && !*end)
		blk = umf_blks[unit];
	if (blk)
		len = snprintf(buf, size, "%s\n  %llu sectors, %u files, serial %s, engine %s",
			       blk->spec, (u64)get_capacity(blk->disk),
			       blk->image->layers, blk->serial,
			       engine_name(blk)) + 1;
	else
		*error = "no such disk";
	mutex_unlock(&umf_blks_lock);
	return len;
}

static int umf_blk_mc_id(char **text, int *first, int *last)
{
	int unit = parse_unit(*text, text);

	*first = 0;
	*last = UNITS - 1;
	return unit;
}

static int umf_blk_mc_remove(int unit, char **error)
{
	struct umf_blk *blk;
	int err = 0;

	/* what kernel threads close, as a new disk's scan for partitions does */
	flush_delayed_fput();
	mutex_lock(&umf_blks_lock);
	blk = umf_blks[unit];
	if (!blk) {
		*error = "no such disk";
		err = -ENODEV;
	} else if (READ_ONCE(blk->live.busy)) {
		*error = "a commit is under way";
		err = -EBUSY;
	} else if (disk_openers(blk->disk)) {
		*error = "is in use in the guest";
		err = -EBUSY;
	} else {
		err = umf_blk_destroy(blk);
		if (err) {
			snprintf(umf_blk_error, sizeof(umf_blk_error),
				 "is removed, but not all of it could be written (%s)",
				 umf_file_error(err));
			*error = umf_blk_error;
		}
	}
	mutex_unlock(&umf_blks_lock);
	return err;
}

static struct mc_device umf_blk_mc = {
	.list		= LIST_HEAD_INIT(umf_blk_mc.list),
	.name		= "umf",
	.config		= umf_blk_mc_config,
	.get_config	= umf_blk_mc_get_config,
	.id		= umf_blk_mc_id,
	.remove		= umf_blk_mc_remove,
};

static int __init umf_blk_init(void)
{
	int unit;

	mutex_lock(&umf_blks_lock);
	for (unit = 0; unit < UNITS; unit++)
		if (umf_blk_boot[unit] &&
		    umf_blk_create(unit, umf_blk_boot[unit], umf_blk_error))
			pr_err("umf%c: %s\n", 'a' + unit, umf_blk_error);
	mutex_unlock(&umf_blks_lock);
	mconsole_register_dev(&umf_blk_mc);
	register_reboot_notifier(&umf_blk_at_reboot);
	return 0;
}
device_initcall(umf_blk_init);
