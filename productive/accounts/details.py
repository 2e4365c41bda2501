"""Documented attributes of people that have no further meaning here."""

from django.db import models

from productive.database.fields import LineField, TagsField, soft_reference


class PersonDetails(models.Model):
    nickname = LineField(max_length=255, null=True, blank=True)
    role_id = soft_reference()
    custom_role_id = soft_reference()
    subsidiary_id = soft_reference()
    time_tracking_policy_id = soft_reference()
    timesheet_submission_disabled = models.BooleanField(default=False, db_default=False)
    virtual = models.BooleanField(default=False, db_default=False)
    tag_list = TagsField()

    class Meta:
        abstract = True
