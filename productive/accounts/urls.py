from productive.accounts.views import (
    OrganizationMembershipViewSet,
    OrganizationViewSet,
    PersonViewSet,
)
from productive.jsonapi.routers import Router

router = Router()
router.register("organizations", OrganizationViewSet)
router.register("organization_memberships", OrganizationMembershipViewSet)
router.register("people", PersonViewSet)

urlpatterns = router.urls
